// Looks at a study in the viewer, as test_viewer.py says on standard input; says what it saw on standard output.
import { chromium } from "playwright-core";
import { readFileSync } from "node:fs";

const asked = JSON.parse(readFileSync(0, "utf8"));
const seen = { errors: [], failed: [], requests: [], foreign: [] };

const browser = await chromium.launch({
  executablePath: asked.chromium,
  args: ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--ignore-certificate-errors", "--no-proxy-server",
    "--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
});
const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 800 } });
const page = await context.newPage();
page.on("console", (m) => { if (m.type() === "error") seen.errors.push(m.location().url + " " + m.text().slice(0, 500)); });
page.on("pageerror", (e) => seen.errors.push(String(e.stack).slice(0, 500)));
page.on("requestfailed", (r) => { // going on to the next page aborts what is under way
  if (r.failure().errorText !== "net::ERR_ABORTED") seen.failed.push(r.url() + " " + r.failure().errorText);
});
page.on("request", (r) => {
  if (!/^(data|blob):/.test(r.url()) && !r.url().startsWith(asked.base)) seen.foreign.push(r.url());
});
page.on("response", (r) => {
  if (r.status() >= 400) seen.failed.push(r.status() + " " + r.url());
  if (r.url().includes("/dicomweb/")) seen.requests.push([r.status(), r.url().slice(asked.base.length)]);
});

// What the first viewport shows: how many shades, and a sum that changes with the picture.
const picture = () => page.evaluate(() => {
  const canvas = document.querySelector("canvas.cornerstone-canvas");
  if (!canvas || !canvas.width) return null;
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  const shades = new Set();
  let sum = 0;
  for (let i = 0; i < pixels.length; i += 4) {
    shades.add(pixels[i]);
    sum = (sum * 31 + pixels[i]) >>> 0;
  }
  return { shades: shades.size, sum };
});

async function await_picture(is_good) {
  const end = Date.now() + asked.seconds * 1000;
  let last = null;
  while (Date.now() < end) {
    last = await picture();
    if (last && is_good(last)) return last;
    await page.waitForTimeout(100);
  }
  return last;
}

async function sign_in() {
  await page.goto(asked.base + "/");
  return await page.evaluate(async ({ user, password }) => (await fetch("/api/sign-in", {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ user, password }),
  })).status, asked);
}

async function look_at(study) {
  const got = { study, began: Date.now() };
  await page.goto(asked.base + "/viewer/viewer?StudyInstanceUIDs=" + study + (asked.more || ""));
  got.first = await await_picture((p) => p.shades > 3);
  got.milliseconds = Date.now() - got.began;
  if (asked.scroll) {
    await page.locator("canvas.cornerstone-canvas").first().hover();
    got.after = [];
    for (let i = 0; i < asked.scroll; i++) {
      const before = await picture();
      await page.mouse.wheel(0, 100);
      got.after.push((await await_picture((p) => p.sum !== before.sum)).sum !== before.sum);
    }
  }
  got.text = await page.evaluate(() => document.body.innerText.slice(0, 2000));
  await page.screenshot({ path: asked.folder + "/" + study + (asked.name || "") + ".png" });
  return got;
}

seen.before = asked.study_before ? await (async () => {
  await page.goto(asked.base + "/viewer/viewer?StudyInstanceUIDs=" + asked.study_before);
  await page.waitForSelector("input[name=password]");
  return page.url();
})() : null;
seen.signed_in = await sign_in();
seen.studies = [];
for (const study of asked.studies) seen.studies.push(await look_at(study));
if (asked.sign_out) { // in another tab
  const other = await context.newPage();
  await other.goto(asked.base + "/");
  await other.locator("#top > button").click();
  await page.waitForURL(asked.base + "/", { timeout: 10000 }).catch(() => {});
  seen.after_sign_out = page.url();
}
await browser.close();
console.log(JSON.stringify(seen));
