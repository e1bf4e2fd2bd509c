// What needs no browser: names and dates, QR codes, files, reports of STOW-RS, both dictionaries.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import test from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { dicomFile } from './browser.mjs';

globalThis.document = { documentElement: { lang: 'en' } };
const PAGES = new URL('../../site/pages/', import.meta.url);
const load = (name) => import(new URL(`js/${name}.js`, PAGES));
const dicom = await load('dicom');
const { encode } = await load('qr');
const { sniff } = await load('files');
const stow = await load('stow');
const { unzipped } = await load('unzip');
const { default: en } = await load('text_en');
const { default: de } = await load('text_de');

test('names', () => {
  const name = (value) => dicom.personName({ '00100010': { vr: 'PN', Value: [value] } }, 'PatientName');
  const table = [
    [{ Alphabetic: 'Meier^Anna' }, 'Meier, Anna', ''], [{ Alphabetic: 'Meier^Anna^Maria^Dr.^MD' }, 'Meier, Anna Maria (Dr., MD)', ''],
    [{ Alphabetic: 'Meier' }, 'Meier', ''], [{ Alphabetic: '^Anna' }, 'Anna', ''], [{ Alphabetic: '^^^' }, '', ''], [{}, '', ''],
    [{ Alphabetic: 'Yamada^Tarou', Ideographic: '山田^太郎', Phonetic: 'やまだ^たろう' }, 'Yamada, Tarou', '山田, 太郎'],
    [{ Ideographic: '山田^太郎' }, '山田, 太郎', ''], ['Old^Form', 'Old, Form', ''], [null, '', ''], [{ Alphabetic: null }, '', '']];
  for (const [value, main, other] of table) assert.deepEqual(name(value), { main, other }, JSON.stringify(value));
});

test('ages', () => {
  const table = [['19610312', '20240311', '62 years'], ['19610312', '20240312', '63 years'], ['20230101', '20240101', '12 months'],
    ['20240101', '20240111', '10 days'], ['20240102', '20240101', ''], ['', '20240101', ''], ['19610231', '20240101', ''],
    ['15000101', '20240101', '']];
  for (const [birth, at, wanted] of table) assert.equal(dicom.age(birth, at), wanted, `${birth} ${at}`);
});

test('what is no data set does not throw', () => {
  for (const odd of [{}, null, { '0020000D': { Value: 'x' } }, { '00201208': { Value: ['many'] } }, { '00080061': { Value: [null] } }])
    assert.equal(dicom.study(odd).instances, 0);
});

// zbarimg read all of these when this was written.
test('QR codes', () => {
  const digest = (text) => createHash('sha256').update(encode(text).map((row) => row.map(Number).join('')).join('\n')).digest('hex').slice(0, 16);
  const table = [
    ['A', 21, 'bc9009ae87ca68f1'],
    ['otpauth://totp/Radiologie%20am%20See:doctor?secret=JBSWY3DPEHPK3PXP&issuer=Galena', 37, '55aa82ef506a6504'],
    ['x'.repeat(150), 49, '9782fa7f0642d3e6'],
    ['Grüße '.repeat(30), 61, '3f7a7bb37d1815cb'],
    ['y'.repeat(400), 77, 'a235f937787d0d9a'],
    ['z'.repeat(660), 97, '8ec5a19462e18765']];
  for (const [text, size, wanted] of table) {
    assert.equal(encode(text).length, size);
    assert.equal(digest(text), wanted, text.slice(0, 20));
  }
  assert.equal(encode('x'.repeat(14)).length, 21);
  assert.equal(encode('x'.repeat(15)).length, 25);
  assert.throws(() => encode('x'.repeat(667)), RangeError);
});

test('which files are sent', async () => {
  const table = [
    ['IM1', dicomFile({ instance: '1.2.3' }), { uid: '1.2.3' }], ['empty', '', { why: 'empty' }], ['DICOMDIR', 'x', { why: 'dicomdir' }],
    ['.DS_Store', 'x', { why: 'hidden' }], ['a.jpg', '\xff\xd8\xff\xe0 and so on', { why: 'not_dicom' }], ['short', 'ab', { why: 'not_dicom' }],
    ['bare', Buffer.from('0800050043530a0049534f5f495220313030', 'hex'), { uid: '' }]];
  for (const [name, content, wanted] of table) assert.deepEqual(await sniff(new File([content], name)), wanted, name);
  const lying = dicomFile({ instance: '1.2.3' });
  lying.writeUInt16LE(65535, 138);
  assert.deepEqual(await sniff(new File([lying], 'lying')), { uid: '' });
  assert.deepEqual(await sniff(null), { why: 'unreadable' });
});

// Entries: {name, data, stored, flags, wide, lie}; wide: sizes and places in the extra field of ZIP64.
function zip(entries, comment = '') {
  const u = (...fields) => Buffer.concat(fields.map(([bytes, n]) => {
    const b = Buffer.alloc(bytes);
    b[bytes === 8 ? 'writeBigUInt64LE' : bytes === 4 ? 'writeUInt32LE' : 'writeUInt16LE'](bytes === 8 ? BigInt(n) : n);
    return b;
  }));
  const parts = [], heads = [];
  let at = 0;
  for (const { name, data = '', stored = false, flags = 0, wide = false, lie = 0 } of entries) {
    const packed = stored ? Buffer.from(data) : deflateRawSync(data), size = Buffer.byteLength(data) + lie;
    const path = Buffer.from(name), method = stored ? 0 : 8;
    const more = wide ? u([2, 1], [2, 24], [8, size], [8, packed.length], [8, at]) : Buffer.alloc(0), f = 0xFFFFFFFF;
    heads.push(u([4, 0x02014b50], [2, 45], [2, 45], [2, flags], [2, method], [4, 0], [4, 0], [4, wide ? f : packed.length],
      [4, wide ? f : size], [2, path.length], [2, more.length], [2, 0], [2, 0], [2, 0], [4, 0], [4, wide ? f : at]), path, more);
    parts.push(u([4, 0x04034b50], [2, 45], [2, flags], [2, method], [4, 0], [4, 0], [4, 0], [4, 0], [2, path.length], [2, 3]),
      path, Buffer.from('xyz'), packed);
    at += 33 + path.length + packed.length;
  }
  const directory = Buffer.concat(heads);
  return Buffer.concat([...parts, directory, u([4, 0x06054b50], [4, 0], [2, entries.length], [2, entries.length],
    [4, directory.length], [4, at], [2, comment.length]), Buffer.from(comment)]);
}

async function contents(bytes, name = 'a.zip') {
  const found = [];
  for await (const { file, path } of unzipped([{ file: new File([bytes], name), path: name }]))
    found.push([path, file && await file.text()]);
  return found;
}

test('ZIP files are opened', async () => {
  const two = [{ name: 'cd/IM1', data: 'one'.repeat(1000) }, { name: 'cd/', stored: true },
    { name: 'cd/Bücher/IM2', data: 'two', stored: true }];
  const good = [['a.zip/cd/IM1', 'one'.repeat(1000)], ['a.zip/cd/Bücher/IM2', 'two']];
  const table = [
    ['two files', zip(two), good], ['with a comment', zip(two, `${'PK\x05\x06 from the CD'.repeat(9)}`), good],
    ['ZIP64', zip(two.map((e) => ({ ...e, wide: true }))), good],
    ['another name', zip(two), good.map(([path, text]) => [path.replace('a.zip', 'study'), text]), 'study'],
    ['no ZIP', Buffer.from('DICM and so on, twenty-two bytes'), [['a.zip', 'DICM and so on, twenty-two bytes']]],
    ['cut', zip(two).subarray(0, -30), [['a.zip', null]]],
    ['no entry where one should be', zip(two).fill(0, zip(two).indexOf('PK\x01\x02'), zip(two).indexOf('PK\x01\x02') + 4), [['a.zip', null]]],
    ['encrypted', zip([{ name: 'IM1', data: 'one', flags: 1 }]), [['a.zip/IM1', null]]],
    ['longer than it says', zip([{ name: 'IM1', data: 'one', lie: -1 }, { name: 'IM2', data: 'two' }]),
      [['a.zip/IM1', null], ['a.zip/IM2', 'two']]]];
  for (const [what, bytes, wanted, name] of table) assert.deepEqual(await contents(bytes, name), wanted, what);
});

const item = (uid, reason) => ({ '00081155': { Value: [uid] }, ...(reason ? { '00081197': { Value: [reason] } } : {}),
  '00081190': { Value: [`https://h/dicomweb/studies/2.25.1/series/2/instances/${uid}`] } });

test('a report for each file', () => {
  const report = stow.readReport({ '00081199': { Value: [item('1.1')] }, '00081198': { Value: [item('1.2', 0xC122)] },
    '0008119A': { Value: [{ '00081197': { Value: [0xC000] } }] } });
  assert.deepEqual([...report.studies], ['2.25.1']);
  assert.deepEqual(stow.judge(['1.1', '1.2', '', '1.9'], report, false), ['stored', 0xC122, 0xC000, 0]);
  assert.deepEqual(stow.judge(['1.7', ''], stow.readReport(null), true), ['stored', 'stored']);
  assert.deepEqual(stow.judge(['1.7'], stow.readReport(null), false), [0]);
});

test('every reason has its words', () => {
  for (const code of [0, 0x0110, 0x0122, 0x0124, 0xA700, 0xA770, 0xA900, 0xC000, 0xC122, 0xFFFF])
    assert.ok(en[stow.reasonKey(code)], code.toString(16));
  assert.equal(stow.reasonKey(0xC122), 'reason_syntax');
  assert.equal(stow.reasonKey(0xC001), 'reason_understand');
});

test('the body of a request', async () => {
  const { blob, type } = stow.body([new Blob(['one']), new Blob(['two'])]);
  const boundary = /boundary=(\S+)$/.exec(type)[1];
  assert.equal(await blob.text(), ['one', 'two'].map((t) =>
    `--${boundary}\r\nContent-Type: application/dicom\r\n\r\n${t}\r\n`).join('') + `--${boundary}--\r\n`);
});

const scripts = readdirSync(new URL('js/', PAGES)).map((name) => [name, readFileSync(new URL(`js/${name}`, PAGES), 'utf8')]);

test('both languages say the same, with the same values', () => {
  const holes = (entry) => [...new Set(JSON.stringify(entry).match(/\{\w+\}/g) || [])].sort();
  assert.deepEqual(Object.keys(de), Object.keys(en));
  for (const [name, source] of scripts.filter(([file]) => file.startsWith('text_'))) {
    const keys = [...source.replace(/'(\\.|[^'\\])*'/g, '').replace(/\{[^{}]*\}/g, '').matchAll(/(\w+):/g)].map((m) => m[1]);
    assert.deepEqual(keys.filter((key, i) => keys.indexOf(key) !== i), [], `${name}: a key twice`);
  }
  for (const key of Object.keys(en)) {
    assert.deepEqual(holes(de[key]), holes(en[key]), key);
    assert.equal(typeof de[key], typeof en[key], key);
  }
});

test('every text that is named is there', () => {
  for (const [name, source] of scripts)
    for (const [, key] of source.matchAll(/\bt\('(\w+)'/g)) assert.ok(key in en, `${name}: ${key}`);
});

test('no markup from text, nothing from elsewhere', () => {
  const html = readFileSync(new URL('index.html', PAGES), 'utf8');
  for (const [name, source] of [...scripts, ['index.html', html]]) {
    assert.doesNotMatch(source, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/, name);
    assert.doesNotMatch(source.replaceAll('http://www.w3.org/2000/svg', ''), /https?:\/\//, name);
  }
  assert.doesNotMatch(html, /<script>|style=|\son\w+=/);
  for (const [name] of scripts)
    assert.ok(['early.js', 'main.js'].includes(name) || html.includes(`modulepreload" href="/js/${name}"`), name);
});
