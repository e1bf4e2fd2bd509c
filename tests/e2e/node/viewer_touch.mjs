// A study in the viewer on a telephone, by touch alone, as test_viewer.py says on standard input; says what it saw on
// standard output.
import { chromium } from "playwright-core";
import { readFileSync } from "node:fs";

const asked = JSON.parse(readFileSync(0, "utf8"));
const seen = { errors: [] };
const browser = await chromium.launch({ executablePath: asked.chromium,
  args: ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--ignore-certificate-errors", "--no-proxy-server",
    "--use-angle=swiftshader", "--enable-unsafe-swiftshader"] });
const context = await browser.newContext({ ignoreHTTPSErrors: true, locale: "en-GB", hasTouch: true, isMobile: true,
  viewport: { width: asked.width, height: asked.height } });
const page = await context.newPage();
page.on("console", (m) => { if (m.type() === "error") seen.errors.push(m.text().slice(0, 500)); });
page.on("pageerror", (e) => seen.errors.push(String(e.stack).slice(0, 500)));
const touch = await context.newCDPSession(page);

async function drag(from, to) {
  const send = (type, touchPoints) => touch.send("Input.dispatchTouchEvent", { type, touchPoints });
  await send("touchStart", [from]);
  for (let i = 1; i <= 10; i++) {
    await send("touchMove", [{ x: from.x + (to.x - from.x) * i / 10, y: from.y + (to.y - from.y) * i / 10 }]);
    await page.waitForTimeout(30);
  }
  await send("touchEnd", []);
}

const shown = (place) => page.locator(`[data-cy="viewport-overlay-bottom-${place}"]`).innerText();

// What the overlay there says once it says something else.
async function changed(place, before) {
  for (const end = Date.now() + asked.seconds * 1000; Date.now() < end; await page.waitForTimeout(100))
    if (await shown(place) !== before) break;
  return shown(place);
}

// The buttons of the header that no finger meets, even where the header is moved so that they are in sight.
const covered = () => page.evaluate(() => {
  const header = document.querySelector('[data-cy="return-to-work-list"]').parentElement.parentElement;
  return [...header.querySelectorAll("a, button")].filter((button) => {
    button.scrollIntoView({ inline: "center", behavior: "instant" });
    const { left, right, top, bottom } = button.getBoundingClientRect();
    return [[left + 3, top + 3], [right - 3, bottom - 3], [(left + right) / 2, (top + bottom) / 2]].some(([x, y]) => {
      const hit = document.elementFromPoint(x, y);
      return !hit || !(button.contains(hit) || (button.disabled && hit.contains(button)));
    });
  }).map((button) => button.getAttribute("aria-label") || button.dataset.cy || button.textContent);
});

await page.goto(asked.base + "/");
await page.fill("input[name=username]", asked.user);
await page.fill("input[name=password]", asked.password);
await page.tap("button[type=submit]");
await page.fill("#search", asked.search);
await page.waitForFunction(() => history.state?.search?.text); // the words are kept once they are searched for
await page.locator(".study > .row").filter({ hasText: asked.found }).locator(".cell.open a").tap();
await page.waitForFunction(() => {
  const canvas = document.querySelector("canvas.cornerstone-canvas");
  return canvas?.width && canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data
    .some((v, i) => i % 4 === 0 && v > 100);
}, null, { timeout: asked.seconds * 1000 });

const canvas = await page.locator("canvas.cornerstone-canvas").first().boundingBox();
seen.share = canvas.width * canvas.height / (asked.width * asked.height);
seen.covered = await covered();
seen.overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

const middle = { x: canvas.x + canvas.width / 2, y: canvas.y + canvas.height / 2 };
seen.window = [await shown("left")];
await drag(middle, { x: middle.x + 40, y: middle.y + 40 });
seen.window.push(await changed("left", seen.window[0]));
await page.locator('[data-cy="windowLevelMenu-btn"]').tap();
await page.getByText(/Window Presets/).tap();
await page.getByText(/^Lung/).first().tap();
seen.window.push(await changed("left", seen.window[1]));
await page.keyboard.press("Escape");

// A finger's breadth beside the slider of the series.
const slider = await page.locator('[role="slider"][aria-orientation="vertical"]').boundingBox();
const x = slider.x - 15;
seen.image = [await shown("right")];
await drag({ x, y: slider.y + 10 }, { x, y: slider.y + slider.height * 0.6 });
seen.image.push(await changed("right", seen.image[0]));

await page.screenshot({ path: `${asked.folder}/touch-${asked.width}x${asked.height}.png` });
await page.waitForTimeout(1000); // Chromium takes a tap right after a drag for one that stops it
await page.locator(".to-studies").tap();
await page.waitForSelector("#search");
seen.back = [page.url().slice(asked.base.length), await page.inputValue("#search")];
await browser.close();
console.log(JSON.stringify(seen));
