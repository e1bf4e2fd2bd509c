// The list of studies in a browser: found, opened, paged, deleted; with the keyboard; names that try things.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Bed, missing } from './browser.mjs';
import { HOSTILE } from './mock_patients.mjs';

const browser = { skip: missing };
const phone = { viewport: { width: 390, height: 844 } };

// test(name, options of the browser, f(bed, page)); nothing may be complained of.
function inBrowser(name, options, f) {
  test(name, browser, async () => {
    const bed = await new Bed().open(options);
    try {
      await f(bed, bed.page);
      assert.deepEqual(bed.complaints, []);
    } finally {
      await bed.close();
    }
  });
}

const names = (page) => page.locator('.study .name').allInnerTexts();
const count = (page) => page.locator('.count').innerText();

async function find(page, text) {
  const answered = page.waitForResponse((r) => r.url().includes('/dicomweb/studies'), { timeout: 5000 }).catch(() => null);
  await page.fill('#search', text);
  await answered; // the page itself waits a moment whether there will be more letters
  await page.waitForFunction(() => !document.querySelector('[aria-busy=true]'));
  await page.waitForTimeout(350);
}

inBrowser('a slow archive: one sees that something is under way', {}, async (bed, page) => {
  await bed.signIn('doctor', '/#/upload');
  bed.set({ delay_ms: 3000 });
  await page.evaluate(() => { location.hash = '#/studies'; });
  await page.getByText('Loading …').waitFor();
  await page.waitForSelector('.study');
  assert.equal(await count(page), '426 studies');
});

inBrowser('searching, page by page', {}, async (bed, page) => {
  await bed.signIn();
  await page.waitForSelector('.study');
  assert.equal(await count(page), '426 studies');
  assert.equal(await bed.rows().count(), 50);
  await page.mouse.wheel(0, 100000);
  await page.waitForFunction(() => document.querySelectorAll('.study').length >= 100);
  await find(page, 'mueller');
  const found = await names(page);
  assert.ok(found.length > 5 && found.every((n) => n.startsWith('Müller')), found.join());
  await find(page, '470037');
  assert.deepEqual(await names(page), ["O'Brien, Patrick"]);
  await find(page, 'A2400001');
  assert.deepEqual(await names(page), ["O'Brien, Patrick"]);
  await find(page, "o'brien 02.02.1948");
  assert.deepEqual(await names(page), ["O'Brien, Patrick"]);
  assert.match(await count(page), /^1 study · date 02\/02\/1948$/);
  await find(page, 'nobody at all');
  assert.match(await page.locator('.nothing').innerText(), /Nothing found/);
  await page.getByText('Clear the search').click();
  await page.waitForSelector('.study');
  assert.equal(await count(page), '426 studies');
});

inBrowser('the address does not say whom one looked for, and coming back finds the search again', {}, async (bed, page) => {
  await bed.signIn();
  await page.waitForSelector('.study');
  await page.getByRole('button', { name: 'CT', exact: true }).click();
  await find(page, 'meier');
  const before = await names(page);
  assert.doesNotMatch(page.url() + await page.title(), /meier/i);
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/viewer\/viewer\?StudyInstanceUIDs=2\.25\./);
  await page.goBack();
  await page.waitForSelector('.study');
  assert.equal(await page.inputValue('#search'), 'meier');
  assert.deepEqual(await names(page), before);
});

inBrowser('only the last search counts', {}, async (bed, page) => {
  await bed.signIn();
  await page.waitForSelector('.study');
  bed.set({ delay_ms: 300 });
  await page.fill('#search', 'meier');
  await page.waitForTimeout(250);
  await find(page, 'rossi');
  await page.waitForTimeout(800);
  assert.ok((await names(page)).every((n) => n.startsWith('Rossi')));
});

inBrowser('words searched for are for whoever searched', {}, async (bed, page) => {
  await bed.signIn();
  await find(page, 'meier');
  const another = async (user) => {
    bed.set({ end_sessions: true });
    await page.evaluate(() => { location.hash = '#/account'; });
    await page.waitForSelector('input[name=password]');
    await page.fill('input[name=username]', user);
    await page.fill('input[name=password]', 'first light');
    await page.click('button[type=submit]');
    await page.waitForSelector('#top nav');
    await page.goBack();
    await page.waitForSelector('.study');
    return page.inputValue('#search');
  };
  assert.equal(await another('doctor'), 'meier');
  assert.equal(await another('reader'), '');
});

inBrowser('filters', {}, async (bed, page) => {
  await bed.signIn();
  await page.waitForSelector('.study');
  await page.getByRole('button', { name: 'Today' }).click();
  await page.waitForTimeout(400);
  const today = await bed.rows().count();
  assert.ok(today > 3 && today < 50);
  await page.getByRole('button', { name: 'US', exact: true }).click();
  await page.getByRole('button', { name: 'MR', exact: true }).click();
  await page.waitForTimeout(400);
  const shown = await page.locator('.study .badge').allInnerTexts();
  assert.ok(shown.length > 0 && shown.every((m) => m === 'US' || m === 'MR'), shown.join());
  await page.getByText('More fields').click();
  await page.getByLabel('Study description').fill('knie');
  await page.waitForTimeout(400);
  assert.ok((await page.locator('.cell.description').allInnerTexts()).slice(1).every((d) => d.includes('Knie')));
});

inBrowser('names are text, whatever is in them', {}, async (bed, page) => {
  await bed.signIn();
  await find(page, 'today');
  const texts = await names(page);
  assert.ok(texts.includes('<script>alert(1)</script>, <img src=x onerror=alert(2)>'), texts.join());
  assert.ok(texts.includes('Yamada, Tarou'));
  assert.equal(await page.locator('.other').first().innerText(), '山田, 太郎');
  assert.equal(await page.locator('.study img, .study script, .study b').count(), 0);
  assert.notEqual(await page.title(), 'pwned');
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wide <= 0, 'a long name widens nothing');
  assert.ok(HOSTILE.length > 4);
});

inBrowser('with the keyboard alone', {}, async (bed, page) => {
  await bed.signIn();
  await page.waitForSelector('.study');
  await page.keyboard.press('/');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'search');
  await page.keyboard.type('meier');
  await page.waitForTimeout(500);
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  const focused = () => page.evaluate(() => [...document.querySelectorAll('.study > .row')].indexOf(document.activeElement));
  assert.equal(await focused(), 1);
  assert.equal(await page.locator('.study > .row[tabindex="0"]').count(), 1);
  await page.keyboard.press('ArrowRight');
  await page.waitForSelector('.details table');
  assert.equal(await bed.rows().nth(1).getAttribute('aria-expanded'), 'true');
  await page.keyboard.press('ArrowRight');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Open in viewer');
  await page.keyboard.press('Escape');
  assert.equal(await focused(), 1);
  await page.keyboard.press('ArrowLeft');
  assert.equal(await page.locator('.details').count(), 0);
  await page.keyboard.press('Escape');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'search');
  await page.keyboard.press('Escape');
  assert.equal(await page.inputValue('#search'), '');
});

inBrowser('series, download, link', {}, async (bed, page) => {
  await bed.signIn();
  await find(page, '470296');
  await bed.rows().first().click();
  await page.waitForSelector('.details table');
  assert.equal(await page.locator('.details tbody tr').count(), 3);
  const zip = page.getByText('Download ZIP').locator('..');
  assert.match(await zip.getAttribute('href'), /^\/dicomweb\/studies\/2\.25\.999\?accept=application\/zip$/);
  assert.match(await zip.getAttribute('download'), /^\d{8}_XA_A2400008\.zip$/);
  assert.equal(await page.getByText('Delete').count(), 0, 'only for who may');
  await page.goto(`${bed.address}/#/studies?uid=2.25.999`);
  await page.waitForSelector('.details table');
  assert.deepEqual(await names(page), ['Yılmaz, Olga']);
  await page.goto(`${bed.address}/#/studies?uid=2.25.1234567`);
  await page.waitForSelector('.nothing');
});

inBrowser('deleting takes typing', {}, async (bed, page) => {
  bed.mock.second_factor = {};
  await page.goto(bed.address);
  await page.fill('input[name=username]', 'chief');
  await page.fill('input[name=password]', 'first light');
  await page.click('button[type=submit]');
  await page.locator('input[name=code]').fill('123456');
  await page.click('button[type=submit]');
  await page.waitForSelector('.study');
  await find(page, '470037');
  await bed.rows().first().click();
  await page.getByText('Delete', { exact: true }).click();
  const yes = page.getByText('Delete for good');
  assert.ok(await yes.isDisabled());
  await page.locator('dialog input').fill('470038');
  assert.ok(await yes.isDisabled());
  await page.keyboard.press('Escape');
  assert.equal(bed.mock.studies.length, 426);
  await page.getByText('Delete', { exact: true }).click();
  await page.locator('dialog input').fill('470037');
  await yes.click();
  await page.waitForFunction(() => !document.querySelector('.study'));
  assert.equal(bed.mock.studies.length, 425);
});

inBrowser('errors, and going on after them', {}, async (bed, page) => {
  bed.set({ fail: { '/dicomweb/studies': 500 } });
  await bed.signIn();
  await page.waitForSelector('.problem');
  bed.set({ fail: { '/dicomweb/studies': 'drop' } });
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByText('cannot be reached').waitFor();
  bed.set({ fail: {} });
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.waitForSelector('.study');
});

inBrowser('the end of the session keeps the place and hides the patients', {}, async (bed, page) => {
  await bed.signIn();
  await find(page, 'rossi');
  bed.set({ end_sessions: true });
  await page.fill('#search', 'meier');
  await page.waitForSelector('input[name=password]');
  assert.equal(await page.locator('.study').count(), 0);
  assert.match(await page.innerText('main'), /session is over/);
  await page.fill('input[name=username]', 'doctor');
  await page.fill('input[name=password]', 'first light');
  await page.click('button[type=submit]');
  await page.waitForSelector('.study');
  assert.equal(await page.inputValue('#search'), 'meier');
});

inBrowser('nothing happens for a while: signed out, without asking the archive', {}, async (bed, page) => {
  bed.set({ expires_s: 2 });
  await bed.signIn();
  await page.waitForSelector('.study');
  const asked = bed.mock.log.length;
  await page.getByText('nothing happened for a while').waitFor();
  assert.equal(await page.locator('.study').count(), 0);
  assert.equal(bed.mock.log.slice(asked).filter((l) => /api|dicomweb/.test(l)).length, 0);
});

inBrowser('cards on a phone; nothing sticks out', { ...phone, locale: 'de-DE', colorScheme: 'dark' }, async (bed, page) => {
  await bed.signIn();
  await page.waitForSelector('.study');
  assert.equal(await page.getByRole('link', { name: 'Radiologie am See' }).count(), 1, 'its words have no room');
  assert.equal(await count(page), '426 Studien');
  await bed.rows().nth(3).click();
  await page.waitForSelector('.details table');
  for (const view of ['studies', 'upload', 'account', 'about']) {
    await page.goto(`${bed.address}/#/${view}`);
    await page.waitForTimeout(200);
    const [wide, ground] = await page.evaluate(() => [document.documentElement.scrollWidth - innerWidth,
      getComputedStyle(document.body).backgroundColor]);
    assert.ok(wide <= 0, `${view}: ${wide}`);
    assert.equal(ground, 'rgb(16, 21, 25)');
  }
});

inBrowser('an empty archive says how to fill it', {}, async (bed, page) => {
  bed.set({ empty: true });
  await bed.signIn();
  await page.waitForSelector('.nothing');
  assert.match(await page.innerText('.nothing'), /Drop DICOM files/);
  await page.getByText('From a device').click();
  assert.match(await page.innerText('.nothing pre'), /storescu .* -aec GALENA/);
});
