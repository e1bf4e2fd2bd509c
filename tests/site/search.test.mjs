// What is typed into the search box, and several searches as one list.
import assert from 'node:assert/strict';
import test from 'node:test';
import { dateKey, read, readDate, spellings, understand } from '../../site/pages/js/query.js';
import { Merge } from '../../site/pages/js/merge.js';
import { remaining } from '../../site/pages/js/api.js';

const NOW = new Date(2024, 4, 15, 10);
const either = (code) => [{ PatientID: code }, { AccessionNumber: code }];
const FUZZY = { fuzzymatching: 'true' };

test('dates', () => {
  const table = [
    ['2024-05-01', '20240501'], ['2024-5-1', '20240501'], ['01.05.2024', '20240501'], ['1.5.2024', '20240501'],
    ['1/5/2024', '20240501'], ['20240501', '20240501'], ['2024-02', '20240201-20240229'], ['2023-02', '20230201-20230228'],
    ['02.2024', '20240201-20240229'], ['2024', '20240101-20241231'], ['2024-01..2024-03', '20240101-20240331'],
    ['2024-01-05..', '20240105-'], ['..2024-03', '-20240331'], ['2024-01–2024-03', '20240101-20240331'],
    ['20240101-20240331', '20240101-20240331'], ['today', '20240515'], ['Heute', '20240515'], ['gestern', '20240514'],
    ['2024-02-30', null], ['2024-13', null], ['31.04.2024', null], ['99999999', null], ['..', null], ['4711', null],
    ['2024-01..x', null], ['1.2.3.4', null], ['__proto__', null], ['constructor', null], ['', null]];
  for (const [typed, wanted] of table) {
    const found = readDate(typed, NOW);
    assert.equal(found && dateKey(found), wanted, typed);
  }
  assert.equal(dateKey(readDate('5/1/2024', NOW, true)), '20240501', 'the month first, as in the United States');
});

test('readings of what is typed', () => {
  const table = [
    ['', [{}]], ['  ', [{}]], ['*', [{}]],
    ['meier', [{ PatientName: 'meier', ...FUZZY }, { PatientID: 'meier*\\MEIER*\\Meier*' },
      { AccessionNumber: 'meier*\\MEIER*\\Meier*' }]],
    ['Müller, Anna', [{ PatientName: 'Müller Anna', ...FUZZY }]],
    ['4711', [{ PatientID: '4711*' }, { AccessionNumber: '4711*' }]],
    ['A*23', [{ PatientName: '*A*23*' }, { PatientID: 'A*23\\a*23' }, { AccessionNumber: 'A*23\\a*23' }]],
    ['kim 4711', [{ PatientName: 'kim', ...FUZZY, PatientID: '4711*' }, { PatientName: 'kim', ...FUZZY, AccessionNumber: '4711*' },
      ...either('kim 4711*\\KIM 4711*\\Kim 4711*')]],
    ['phantom 3T', [{ PatientName: 'phantom 3T', ...FUZZY }, { PatientName: 'phantom', ...FUZZY, PatientID: '3T*\\3t*' },
      { PatientName: 'phantom', ...FUZZY, AccessionNumber: '3T*\\3t*' },
      ...either('phantom 3T*\\phantom 3t*\\PHANTOM 3T*\\Phantom 3t*')]],
    ['4711 815', [{ PatientID: '4711*', AccessionNumber: '815*' }, { PatientID: '815*', AccessionNumber: '4711*' },
      ...either('4711 815*')]],
    ['%_', either('%_*')], ['+ #', either('+ #*')], ['* *', [{}]], ['?', either('?')],
    ['kim CT', [{ PatientName: 'kim', ...FUZZY, ModalitiesInStudy: 'CT' },
      { PatientID: 'kim*\\KIM*\\Kim*', ModalitiesInStudy: 'CT' }, { AccessionNumber: 'kim*\\KIM*\\Kim*', ModalitiesInStudy: 'CT' }]],
    ['12.03.1961 kim', [{ PatientName: 'kim', ...FUZZY, StudyDate: '19610312' },
      { PatientName: 'kim', ...FUZZY, PatientBirthDate: '19610312' }]],
    ['20240501', [{ StudyDate: '20240501' }, { PatientBirthDate: '20240501' }, { PatientID: '20240501*' },
      { AccessionNumber: '20240501*' }]],
    ['today', [{ StudyDate: '20240515' }]],
    ['2024-01 .. 2024-03', [{ StudyDate: '20240101-20240331' }]],
    ['1.2.840.113619.2.55', [{ StudyInstanceUID: '1.2.840.113619.2.55' }]],
    ['山田', [{ PatientName: '山田', ...FUZZY }, { PatientID: '山田*' }, { AccessionNumber: '山田*' }]]];
  for (const [typed, wanted] of table)
    assert.deepEqual(understand(typed, {}, { now: NOW }).searches, wanted, typed);
});

test('filters win over what is typed, and nothing is asked for twice', () => {
  const { searches } = understand('kim CT 2024', { modalities: ['MR', 'US'], date: { from: '20230101', to: '' }, id: '12',
    description: 'thorax', physician: 'Osei' }, { now: NOW });
  const both = { PatientName: 'kim', fuzzymatching: 'true', PatientID: '12*', StudyDate: '20230101-',
    StudyDescription: '*thorax*\\*THORAX*\\*Thorax*', ReferringPhysicianName: 'Osei', ModalitiesInStudy: 'MR\\US' };
  assert.deepEqual(searches, [both, { ...both, AccessionNumber: '2024*' }]);
  assert.deepEqual(understand('', { uids: ['1.2', '1.3'] }).searches, [{ StudyInstanceUID: '1.2,1.3' }]);
});

test('a backslash cannot make one value two', () => {
  assert.equal(spellings('A\\*'), 'A*\\a*');
  assert.deepEqual(read('a\\b').words, ['a', 'b']);
});

// --- several searches as one list

const row = (uid, date = '20240101', time = '') => ({ uid, date, time });

function pages(lists, calls = []) {
  return async (keys, limit, offset) => {
    calls.push([keys, limit, offset]);
    const rows = lists[keys].slice(offset, offset + limit);
    return { rows, remaining: Math.max(0, lists[keys].length - offset - rows.length) };
  };
}

test('merged newest first, each once', async () => {
  const merge = new Merge([0, 1], pages([[row('a', '20240103'), row('b', '20240101')],
    [row('c', '20240102', '12'), row('d', '20240102', '11'), row('b', '20240101')]]));
  const found = await merge.next(10);
  assert.deepEqual(found.map((r) => r.uid), ['a', 'c', 'd', 'b']);
  assert.equal(merge.more, false);
  assert.deepEqual(merge.total, { n: 4, exact: true });
});

test('page by page to the end', async () => {
  const all = Array.from({ length: 23 }, (_, i) => row(`u${i}`, String(20240131 - i)));
  const calls = [];
  const merge = new Merge([0], pages([all], calls));
  const seen = [];
  assert.deepEqual((await merge.next(10)).map((r) => r.uid), all.slice(0, 10).map((r) => r.uid));
  assert.deepEqual(merge.total, { n: 23, exact: true });
  seen.push(...await merge.next(10), ...await merge.next(10));
  assert.equal(seen.length, 13);
  assert.equal(merge.more, false);
  assert.deepEqual(calls.map((c) => c[2]), [0, 10, 20]);
  assert.deepEqual(await merge.next(10), []);
});

test('how many there are is exact only when it can be', async () => {
  const many = (p) => Array.from({ length: 30 }, (_, i) => row(`${p}${i}`, String(20240131 - i)));
  const merge = new Merge([0, 1], pages([many('a'), many('b')]));
  await merge.next(10);
  assert.equal(merge.total.exact, false);
  assert.ok(merge.more);
  while (merge.more) await merge.next(10);
  assert.deepEqual(merge.total, { n: 60, exact: true });
});

// --- what has changed since

// The archive that `lists` is made of, as it answers a question with If-None-Match.
function changing(lists) {
  return async (keys, limit, offset, signal, { known } = {}) => {
    const rows = lists[keys].slice(offset, offset + limit), etag = rows.length ? JSON.stringify(rows) : null;
    const left = Math.max(0, lists[keys].length - offset - rows.length);
    return { rows: etag && etag === known ? null : rows, remaining: left, etag };
  };
}

const uids = (rows) => rows.map((r) => r.uid).join(' ');

async function changes(lists, count, change, after = () => {}) {
  const merge = new Merge(Object.keys(lists), changing(lists));
  await merge.next(count);
  assert.equal(await merge.look(), null, 'as it was');
  change(lists);
  const seen = await merge.look(), taken = seen && merge.take(seen);
  assert.equal(await merge.look(), null, 'taken');
  await after(merge);
  return taken && [uids(taken.fresh), uids(taken.known), uids(taken.gone)].concat(merge.total.n);
}

const days = (from, to) => Array.from({ length: from - to + 1 }, (_, i) => row(`d${from - i}`, String(20240100 + from - i)));

test('one has come', async () => {
  assert.deepEqual(await changes({ a: days(3, 1) }, 10, (l) => l.a.unshift(row('n', '20240201'))), ['n', 'd3 d2 d1', '', 4]);
  assert.deepEqual(await changes({ a: [] }, 10, (l) => l.a.push(row('n'))), ['n', '', '', 1]);
});

test('one that belongs further down than the list has got to comes when the list gets there', async () => {
  const before = days(20, 1);
  assert.deepEqual(await changes({ a: before }, 5, (l) => l.a.splice(10, 0, row('n', '20240110', '12'))), ['', '', '', 21]);
});

test('what moved what is still to be fetched loses nothing and repeats nothing', async () => {
  const add = (l) => { l.a.unshift(row('n1', '20240202'), row('n2', '20240201')); l.a.splice(5, 1); };
  const found = await changes({ a: days(20, 1) }, 5, add, async (merge) => {
    const rest = [];
    while (merge.more) rest.push(...await merge.next(5));
    assert.equal(uids(rest), uids(days(15, 1)));
  });
  assert.deepEqual(found.slice(0, 1), ['n1 n2']);
});

test('one has gone', async () => {
  assert.deepEqual(await changes({ a: days(3, 1) }, 10, (l) => l.a.splice(1, 1)), ['', 'd3 d1', 'd2', 2]);
  assert.deepEqual(await changes({ a: days(1, 1) }, 10, (l) => l.a.pop()), ['', '', 'd1', 0]);
  assert.deepEqual(await changes({ a: days(9, 1) }, 3, (l) => l.a.splice(1, 1)), ['', 'd9 d7 d6', 'd8', 8]);
});

test('of several searches: each once, and none is gone because another one found it', async () => {
  assert.deepEqual(await changes({ a: days(9, 7), b: days(6, 4) }, 10, (l) => {
    l.a.unshift(row('n', '20240201'));
    l.b.unshift(row('n', '20240201'));
  }), ['n', 'd9 d8 d7 d6 d5 d4', '', 7]);
  assert.deepEqual(await changes({ a: days(9, 7), b: days(6, 4) }, 10, (l) => l.a.pop()), ['', 'd9 d8', '', 6]);
});

test('the warning of a page that is not the last', () => {
  assert.equal(remaining('299 Galena: "There are 27 additional results that can be requested"'), 27);
  assert.equal(remaining('299 host:8080 "The number of results exceeded the maximum"'), 0);
  assert.equal(remaining(null), 0);
});
