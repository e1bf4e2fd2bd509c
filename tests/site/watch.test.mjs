// The list of studies while others store, change and delete: what comes is seen without reloading, and nothing
// jumps under the reader's hand.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Bed, missing } from './browser.mjs';
import { dataset } from './mock_patients.mjs';

// test(name, f(bed, page, later)); later(ms) lets that time pass.
function watching(name, f) {
  test(name, { skip: missing }, async () => {
    const bed = await new Bed().open();
    try {
      await bed.page.clock.install();
      await bed.signIn();
      await bed.page.waitForSelector('.study');
      await bed.page.mouse.move(1, 1);
      await f(bed, bed.page, async (ms) => {
        for (let gone = 0; gone < ms; gone += 500) { // by small steps: answers come in between
          await bed.page.clock.runFor(500);
          await new Promise((go) => setTimeout(go, 15));
        }
        await new Promise((go) => setTimeout(go, 200));
      });
      assert.deepEqual(bed.complaints, []);
    } finally {
      await bed.close();
    }
  });
}

const study = (uid, name, more = {}) => ({ series: [], dataset: dataset({ uid, name: { Alphabetic: name }, id: 'N-1',
  birth: '19700101', sex: 'F', date: '20991231', time: '120000', accession: 'N', description: 'Just now', doctor: '',
  modalities: ['CT'], series: 1, instances: 1, ...more }) });
const asked = (bed) => bed.mock.log.filter((l) => l.includes('/dicomweb/studies'));
const count = (page) => page.locator('.count').innerText();
const first = (page) => page.locator('.study .name').first().innerText();
const uidOf = (s) => s.dataset['0020000D'].Value[0];

watching('a study that comes is at the top, and said politely; what one types is left alone', async (bed, page, later) => {
  await page.focus('#search');
  const before = asked(bed).length;
  bed.mock.studies.push(study('2.25.7.1', 'New^Nora'));
  await later(10500);
  assert.equal(await first(page), 'New, Nora');
  assert.equal(await count(page), '427 studies · 1 new');
  assert.equal(await page.locator('.count').getAttribute('role'), 'status');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'search');
  assert.equal(await page.locator('[role=treegrid]').getAttribute('aria-rowcount'), '52');
  assert.equal(await bed.rows().count(), 51, 'the others are still there');
  await later(10500);
  bed.mock.studies.push(study('2.25.7.2', 'New^Nils'));
  await later(10500);
  assert.equal(await count(page), '428 studies · 2 new');
  const since = asked(bed).slice(before);
  assert.ok(since.length === 3, since.join());
  assert.ok(since.every((l) => l.endsWith('(passive)')), since.join());
  await page.mouse.wheel(0, 100000);
  await page.waitForFunction(() => document.querySelectorAll('.study').length >= 102);
});

watching('focus and open series stay, and where one has scrolled down nothing moves', async (bed, page, later) => {
  await bed.rows().nth(20).click();
  await page.waitForSelector('.details table');
  await page.keyboard.press('ArrowDown');
  const state = () => page.evaluate(() => {
    const row = document.activeElement;
    return { name: row.textContent, top: Math.round(row.getBoundingClientRect().top),
      i: [...document.querySelectorAll('.study > .row')].indexOf(row), open: document.querySelectorAll('.details table').length };
  });
  const before = await state();
  assert.equal(before.i, 21);
  await page.mouse.move(1, 1);
  bed.mock.studies.push(study('2.25.7.1', 'New^Nora'));
  await later(14000);
  const now = await state();
  assert.ok(Math.abs(now.top - before.top) <= 1, `${now.top} ${before.top}`); // rows' heights are no whole pixels
  assert.deepEqual(now, { ...before, i: 22, top: now.top });
  assert.equal(await page.locator('.study > .row[tabindex="0"]').count(), 1);
  await page.keyboard.press('ArrowUp');
  assert.equal((await state()).i, 21);
});

watching('not while a hand is on the list, but soon after', async (bed, page, later) => {
  const before = await first(page);
  bed.mock.studies.push(study('2.25.7.1', 'New^Nora'));
  await later(9000);
  await bed.rows().nth(2).hover();
  await later(1500);
  assert.equal(await first(page), before);
  await later(4000);
  assert.equal(await first(page), 'New, Nora');
});

watching('images that come later are counted in their row; a study that is deleted goes', async (bed, page, later) => {
  bed.mock.studies.push(study('2.25.7.1', 'New^Nora'));
  await later(10500);
  await page.keyboard.press('/');
  await page.keyboard.press('ArrowDown');
  bed.mock.studies = bed.mock.studies.map((s) => (uidOf(s) === '2.25.7.1' ? study('2.25.7.1', 'New^Nora', { instances: 250 }) : s));
  await later(14000);
  assert.match(await bed.rows().first().innerText(), /250 images/);
  assert.match(await page.evaluate(() => document.activeElement.textContent), /New, Nora.*250 images/);
  await page.keyboard.press('Escape');
  bed.mock.studies = bed.mock.studies.filter((s) => uidOf(s) !== '2.25.7.1');
  await later(14000);
  assert.equal(await page.getByText('New, Nora').count(), 0);
  assert.equal(await count(page), '426 studies · 1 new');
});

watching('an archive that was empty, and a search that finds nothing yet', async (bed, page, later) => {
  bed.set({ empty: true });
  await later(10500);
  await page.waitForSelector('.nothing');
  bed.mock.studies.push(study('2.25.7.1', 'New^Nora'));
  await later(10500);
  assert.equal(await first(page), 'New, Nora');
  assert.equal(await page.locator('.nothing').count(), 0);
  await page.fill('#search', 'nobody');
  await later(1000);
  await page.waitForSelector('.nothing');
  bed.mock.studies.push(study('2.25.7.2', 'Nobody^Ned'));
  await later(10500);
  assert.equal(await first(page), 'Nobody, Ned');
  assert.equal(await count(page), '1 study · 1 new');
});

watching('a page that nobody sees does not ask, and one that is seen again asks at once', async (bed, page, later) => {
  const show = (state) => page.evaluate((now) => {
    Object.defineProperty(document, 'visibilityState', { value: now, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }, state);
  await show('hidden');
  const before = asked(bed).length;
  bed.mock.studies.push(study('2.25.7.1', 'New^Nora'));
  await later(60000);
  assert.equal(asked(bed).length, before);
  await show('visible');
  await page.getByText('New, Nora').waitFor();
});

watching('asking is no use: the session ends, and with it the asking', async (bed, page, later) => {
  await page.evaluate(() => { location.hash = '#/about'; });
  bed.set({ expires_s: 45 });
  await page.reload();
  await page.evaluate(() => { location.hash = '#/studies'; });
  await page.waitForSelector('.study');
  const before = asked(bed).length;
  for (let i = 0; i < 5; i++) await later(10000);
  await page.getByText('nothing happened for a while').waitFor();
  assert.equal(asked(bed).length - before, 4);
  await later(60000);
  assert.equal(asked(bed).length - before, 4);
});

watching('a session that ended elsewhere is noticed', async (bed, page, later) => {
  bed.set({ end_sessions: true });
  await later(10500);
  await page.waitForSelector('input[name=password]');
  const before = asked(bed).length;
  await later(60000);
  assert.equal(asked(bed).length, before);
});

watching('an archive that does not answer is asked ever more seldom, and found again', async (bed, page, later) => {
  bed.set({ fail: { '/dicomweb/studies': 503 } });
  const before = asked(bed).length;
  for (let i = 0; i < 13; i++) await later(10000);
  assert.equal(asked(bed).length - before, 3, 'after 10, 30, 70 s');
  assert.equal(await bed.rows().count(), 50, 'what was found stays');
  bed.set({ fail: {} });
  bed.mock.studies.push(study('2.25.7.1', 'New^Nora'));
  await later(30000);
  assert.equal(await first(page), 'New, Nora');
});
