// dicomweb-client, as npm has it, in a browser: what test_dicomweb_client.py says on standard input; what it got on
// standard output.
import { chromium } from "playwright-core";
import { readFileSync } from "node:fs";

const asked = JSON.parse(readFileSync(0, "utf8"));
const errors = [];
const browser = await chromium.launch({ executablePath: asked.chromium, args: ["--headless", "--no-sandbox",
  "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
  "--disable-sync", "--no-proxy-server"] });
const context = await browser.newContext({ ignoreHTTPSErrors: true, bypassCSP: true });
const page = await context.newPage();
page.on("console", (m) => m.type() === "error" && errors.push(m.text()));
page.on("pageerror", (e) => errors.push(String(e)));
await page.goto(asked.base + "/");
await page.addScriptTag({ path: asked.library });
const got = await page.evaluate(async ({ token, study, series, instance, file, bulk }) => {
  const client = new window.DICOMwebClient.api.DICOMwebClient({ url: location.origin + "/dicomweb",
    headers: { Authorization: "Bearer " + token } });
  const ids = { studyInstanceUID: study, seriesInstanceUID: series, sopInstanceUID: instance };
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
  const text = (buffer) => btoa(Array.from(new Uint8Array(buffer), (b) => String.fromCharCode(b)).join(""));
  const uids = (rows, tag) => rows.map((r) => r[tag].Value[0]).sort();
  await client.storeInstances({ datasets: [bytes(file)] });
  return {
    studies: uids(await client.searchForStudies({ queryParams: { PatientID: "WEB1" } }), "0020000D"),
    series: uids(await client.searchForSeries({ studyInstanceUID: study }), "0020000E"),
    instances: uids(await client.searchForInstances({ ...ids, queryParams: { limit: 2 } }), "00080018"),
    metadata: uids(await client.retrieveStudyMetadata(ids), "00080018"),
    of_series: uids(await client.retrieveSeriesMetadata(ids), "00080018"),
    of_instance: uids(await client.retrieveInstanceMetadata(ids), "00080018"),
    study: (await client.retrieveStudy(ids)).length,
    whole_series: (await client.retrieveSeries(ids)).length,
    instance: text(await client.retrieveInstance(ids)),
    frames: (await client.retrieveInstanceFrames({ ...ids, frameNumbers: [1] })).map(text),
    bulk: (await client.retrieveBulkData({ BulkDataURI: bulk })).map(text),
  };
}, asked);
await browser.close();
console.log(JSON.stringify({ ...got, errors }));
