// Uploading, in a browser: what is sent, what is left out, what failed and why; trouble on the way.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { Bed, dicomFile, missing } from './browser.mjs';

function inBrowser(name, f) {
  test(name, { skip: missing }, async () => {
    const bed = await new Bed().open();
    try {
      await f(bed, bed.page);
      assert.deepEqual(bed.complaints, []);
    } finally {
      await bed.close();
    }
  });
}

const file = (name, buffer) => ({ name, mimeType: '', buffer });
const image = (i, more = {}) => file(`IM${i}`, dicomFile({ instance: `1.2.${i}`, study: `2.25.${70 + (i % 3)}`, ...more }));
const many = (n, more) => Array.from({ length: n }, (_, i) => image(i, more));

async function choose(page, files) {
  await page.evaluate(() => { location.hash = '#/upload'; });
  await page.waitForSelector('.drop');
  await page.locator('input[type=file]').first().setInputFiles(files);
}

const done = (page) => page.waitForSelector('.card.progress.done');
const headline = (page) => page.locator('.card.progress h2').innerText();
const posts = (bed) => bed.mock.log.filter((l) => l.startsWith('POST /dicomweb')).length;

inBrowser('many files in few requests, and the studies of them', async (bed, page) => {
  await bed.signIn();
  await choose(page, many(200));
  await done(page);
  assert.equal(await headline(page), '200 images are stored');
  assert.equal(new Set(bed.mock.stored).size, 200);
  assert.ok(posts(bed) >= 4 && posts(bed) < 20, String(posts(bed)));
  await page.waitForFunction(() => document.querySelectorAll('.study').length === 3);
  await page.getByText('Show the 3 studies').click();
  await page.waitForFunction(() => location.hash.includes('uid=') && document.querySelectorAll('.study').length === 3);
});

inBrowser('what failed, and why; what was left out', async (bed, page) => {
  await bed.signIn();
  await choose(page, [...many(5), image(5, { refuse: true }), image(6, { instance: '' }), file('readme.txt', Buffer.from('hello')),
    file('DICOMDIR', Buffer.from('x')), file('empty', Buffer.alloc(0))]);
  await done(page);
  assert.equal(await headline(page), '5 stored, 2 not');
  const failed = await page.locator('.card.bad li').allInnerTexts();
  assert.match(failed[0], /^IM5\s+of a kind \(SOP class\)/);
  assert.match(failed[1], /^IM6\s+damaged/);
  await page.getByText('3 files left out').click();
  assert.match(await page.innerText('details.card'), /readme.txt\s+not DICOM[^]*DICOMDIR\s+index of a CD[^]*empty\s+empty/);
  await page.getByText('Retry what failed').click();
  await page.waitForTimeout(500);
  assert.equal(await headline(page), '5 stored, 2 not');
});

inBrowser('two files of one UID go apart, so that each gets its own answer', async (bed, page) => {
  await bed.signIn();
  await choose(page, [image(1), file('other', dicomFile({ instance: '1.2.1', refuse: true }))]);
  await done(page);
  assert.equal(await headline(page), '1 stored, 1 not');
  assert.match(await page.innerText('.card.bad'), /other/);
});

inBrowser('it goes on while one looks at other pages; cancelling stops it', async (bed, page) => {
  await bed.signIn();
  bed.set({ upload_delay_ms: 700 });
  await choose(page, many(300));
  await page.getByText('Uploading …').waitFor();
  await page.evaluate(() => { location.hash = '#/account'; });
  await page.waitForSelector('.tray');
  assert.match(await page.innerText('.tray'), /Uploading, \d+\s?%/);
  await page.click('.tray');
  await page.getByText('Cancel', { exact: true }).click();
  await done(page);
  assert.match(await page.innerText('.figures'), /cancelled/);
  const stored = bed.mock.stored.length;
  await page.waitForTimeout(1200);
  assert.ok(bed.mock.stored.length <= stored + 3 * 64 && bed.mock.stored.length < 300);
});

inBrowser('an archive that is busy, or away, is asked again', async (bed, page) => {
  await bed.signIn();
  bed.set({ fail: { '/dicomweb/studies': 503 } });
  await choose(page, many(3));
  await page.getByText('The archive is busy').waitFor();
  bed.set({ fail: { '/dicomweb/studies': 'drop' } });
  await page.getByText('cannot be reached').waitFor();
  bed.set({ fail: {} });
  await done(page);
  assert.equal(await headline(page), '3 images are stored');
});

inBrowser('the session ends on the way: sign in, and it goes on; another user does not go on with it', async (bed, page) => {
  await bed.signIn();
  bed.set({ end_sessions: true });
  await choose(page, many(3));
  await page.waitForSelector('input[name=password]');
  assert.equal(bed.mock.stored.length, 0);
  const again = async (user) => {
    await page.fill('input[name=username]', user);
    await page.fill('input[name=password]', 'first light');
    await page.click('button[type=submit]');
  };
  await again('doctor');
  await done(page);
  assert.equal(bed.mock.stored.length, 3);
  await page.waitForSelector('.study'); // what has arrived was asked for: it would notice the end, too
  bed.set({ end_sessions: true });
  await choose(page, many(5).slice(3));
  await page.waitForSelector('input[name=password]');
  await again('reader');
  await page.waitForSelector('.study');
  await page.waitForTimeout(500);
  assert.equal(bed.mock.stored.length, 3);
});

inBrowser('whole folders', async (bed, page) => {
  const folder = await mkdtemp(join(tmpdir(), 'galena-folder-'));
  await mkdir(join(folder, 'a', 'b'), { recursive: true });
  await writeFile(join(folder, 'a', 'one'), dicomFile({ instance: '1.2.1' }));
  await writeFile(join(folder, 'a', 'b', 'two'), dicomFile({ instance: '1.2.2' }));
  await writeFile(join(folder, 'a', 'b', 'notes.txt'), 'no image');
  await bed.signIn();
  await page.evaluate(() => { location.hash = '#/upload'; });
  await page.locator('input[webkitdirectory]').setInputFiles(folder);
  await done(page);
  assert.equal(await headline(page), '2 images are stored');
  await page.getByText('1 file left out').click();
  assert.match(await page.innerText('details.card'), /a\/b\/notes\.txt/);
  await rm(folder, { recursive: true });
});

// Entries of a drop as the browser makes them can only come from a mouse; these answer as those do.
const drop = (page, names) => page.evaluate((list) => {
  const transfer = new DataTransfer();
  for (const [name, bytes] of list) transfer.items.add(new File([new Uint8Array(bytes)], name));
  for (const type of ['dragenter', 'drop'])
    document.body.dispatchEvent(new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
}, names.map(([name, buffer]) => [name, [...buffer]]));

inBrowser('dropped anywhere', async (bed, page) => {
  await bed.signIn();
  await page.waitForSelector('.study');
  await drop(page, [['one', dicomFile({ instance: '1.2.1' })]]);
  await done(page);
  assert.match(page.url(), /#\/upload$/);
  assert.deepEqual(bed.mock.stored, ['1.2.1']);
});

inBrowser('who may not store cannot', async (bed, page) => {
  await bed.signIn('reader');
  await page.waitForSelector('.study');
  assert.equal(await page.locator('.nav.upload').count(), 0);
  await drop(page, [['one', dicomFile({ instance: '1.2.1' })]]);
  await page.locator('.toast', { hasText: 'You may not upload here' }).waitFor();
  assert.equal(posts(bed), 0);
});
