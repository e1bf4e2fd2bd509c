// Uploads a folder to a real archive, finds, downloads and deletes it, as test_site.py says on standard input;
// says what it saw on standard output.
import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';

const asked = JSON.parse(readFileSync(0, 'utf8'));
const seen = { complaints: [] };
const browser = await chromium.launch({ executablePath: asked.chromium, args: ['--headless', '--no-sandbox',
  '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--no-proxy-server'] });
const context = await browser.newContext({ ignoreHTTPSErrors: true, locale: 'en-GB' });
const page = await context.newPage();
page.on('pageerror', (e) => seen.complaints.push(String(e)));
page.on('console', (m) => m.type() === 'error' && seen.complaints.push(m.text()));
page.on('request', (r) => !r.url().startsWith(asked.base) && !/^(data|blob):/.test(r.url()) && seen.complaints.push(r.url()));

async function signIn(user, at = page) {
  await at.goto(`${asked.base}/`);
  await at.fill('input[name=username]', user);
  await at.fill('input[name=password]', asked.password);
  await at.click('button[type=submit]');
  await at.waitForSelector('#top nav');
}

async function find(text) {
  await page.fill('#search', text);
  await page.waitForTimeout(600);
  await page.waitForFunction(() => !document.querySelector('[aria-busy=true]'));
}

// Somebody else looks at the list meanwhile.
const other = await browser.newContext({ ignoreHTTPSErrors: true, locale: 'en-GB' });
const watcher = await other.newPage();
await signIn('chief', watcher);
await watcher.waitForSelector('.nothing');

await signIn('rita');
await page.evaluate(() => { location.hash = '#/upload'; });
await page.locator('input[webkitdirectory]').setInputFiles(asked.folder);
await page.waitForSelector('.card.progress.done');
seen.stored = await page.innerText('.card.progress h2');
await watcher.waitForSelector('.study');
seen.arrived = await watcher.locator('.study .name').allInnerTexts();
await other.close();
await page.getByText('Show the study').click();
await page.waitForSelector('#search');
await page.evaluate(() => { location.hash = '#/studies'; });
await page.waitForSelector('#search');
await find('ursula uplod');
seen.found = await page.locator('.study .name').allInnerTexts();
seen.images = await page.locator('.study .images div').first().innerText();
await page.locator('.study > .row').first().click();
const [download] = await Promise.all([page.waitForEvent('download'), page.getByText('Download ZIP').click()]);
seen.zip = readFileSync(await download.path(), 'latin1').slice(0, 4);
await page.getByText('Sign out').click();
await page.waitForSelector('input[name=username]');

await signIn('chief');
await find('UP-1');
await page.locator('.study > .row').first().click();
await page.getByText('Delete', { exact: true }).click();
await page.locator('dialog input').fill('UP-1');
await page.getByText('Delete for good').click();
await page.waitForFunction(() => !document.querySelector('.study'));
seen.after = await page.evaluate(async () => (await fetch('/dicomweb/studies/2.25.4713.1')).status);
seen.complaints = seen.complaints.filter((text) => !/status of 404/.test(text));
await browser.close();
console.log(JSON.stringify(seen));
