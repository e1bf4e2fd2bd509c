// What somebody typed into the search box, as searches of QIDO-RS. No page is needed for this: tests run it
// in Node.js.
//
// Words may come in any order. What reads like a date, a modality or a UID is taken as that; what has digits
// may be a patient ID or an accession number; what has letters may be a name. Where several readings are
// plausible, all are asked for, and the answers are merged (merge.js).

export const MODALITIES = ['CT', 'MR', 'CR', 'DX', 'US', 'XA', 'RF', 'MG', 'NM', 'PT', 'OT', 'ECG', 'ES', 'XC',
  'IO', 'PX', 'OP', 'OPT', 'SM', 'RTSTRUCT', 'RTPLAN', 'RTDOSE', 'RTIMAGE', 'SEG', 'SR', 'KO', 'PR', 'DOC', 'BMD',
  'GM', 'HC', 'IVUS', 'DG'];

const pad = (n, width = 2) => String(n).padStart(width, '0');

export function da(date) {
  return pad(date.getFullYear(), 4) + pad(date.getMonth() + 1) + pad(date.getDate());
}

function shifted(now, days) {
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() + days, 12);
}

const lastDay = (year, month) => new Date(year, month, 0, 12).getDate();

function day(year, month, d) {
  if (year < 1850 || year > 2200 || month < 1 || month > 12 || d < 1 || d > lastDay(year, month)) return null;
  const text = pad(year, 4) + pad(month) + pad(d);
  return { from: text, to: text };
}

function wholeMonth(year, month) {
  const first = day(year, month, 1);
  return first && { from: first.from, to: day(year, month, lastDay(year, month)).to };
}

const WORDS = { today: 0, heute: 0, yesterday: -1, gestern: -1 };

// One date, or a month or a year: {from, to}, both as DICOM writes dates. `monthFirst`: 5/1/2024 is in May.
function oneDate(word, now, monthFirst) {
  const lower = word.toLowerCase();
  if (Object.hasOwn(WORDS, lower)) {
    const at = da(shifted(now, WORDS[lower]));
    return { from: at, to: at };
  }
  let m;
  if ((m = /^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})$/.exec(word))) return day(+m[1], +m[2], +m[3]);
  if ((m = /^(\d{1,2})\.(\d{1,2})\.(\d{4})$/.exec(word))) return day(+m[3], +m[2], +m[1]);
  if ((m = /^(\d{1,2})\/(\d{1,2})\/(\d{4})$/.exec(word)))
    return monthFirst ? day(+m[3], +m[1], +m[2]) : day(+m[3], +m[2], +m[1]);
  if ((m = /^(\d{4})(\d{2})(\d{2})$/.exec(word))) return day(+m[1], +m[2], +m[3]);
  if ((m = /^(\d{4})[-/](\d{1,2})$/.exec(word))) return wholeMonth(+m[1], +m[2]);
  if ((m = /^(\d{1,2})[./](\d{4})$/.exec(word))) return wholeMonth(+m[2], +m[1]);
  if ((m = /^(19\d\d|20\d\d)$/.exec(word))) return { from: `${m[1]}0101`, to: `${m[1]}1231` };
  return null;
}

// A date or a range of dates: A..B, A.., ..B, A–B, and 20240101-20240331 as DICOM has it.
export function readDate(word, now = new Date(), monthFirst = false) {
  const m = /^(.*?)(?:\.\.+|…|–)(.*)$/.exec(word) || /^(\d{8})-(\d{8})$/.exec(word);
  if (!m) return oneDate(word, now, monthFirst);
  const from = m[1] ? oneDate(m[1], now, monthFirst) : { from: '' };
  const to = m[2] ? oneDate(m[2], now, monthFirst) : { to: '' };
  if (!from || !to || (!m[1] && !m[2])) return null;
  return { from: from.from, to: to.to };
}

export function dateKey({ from, to }) {
  return from === to ? from : `${from}-${to}`;
}

// Text other than names is compared as it is written (PS3.4 C.2.2.2.1), so the likely ways to write it are
// asked for together: several values in a key mean any of them.
export function spellings(text, before = '', after = '*') {
  const clean = text.replace(/\\/g, '').trim();
  const word = clean.charAt(0).toUpperCase() + clean.slice(1).toLowerCase();
  const pattern = (s) => (/[*?]/.test(s) ? s : before + s + after);
  return [...new Set([clean, clean.toLowerCase(), clean.toUpperCase(), word].map(pattern))].join('\\');
}

function nameKeys(words) {
  return { PatientName: words.join(' '), fuzzymatching: 'true' };
}

function cut(text) {
  return text.replace(/\s*(\.\.+|…|–)\s*/g, '$1').replace(/[,;^=\\]/g, ' ').split(/\s+/).filter(Boolean);
}

// The parts of the text: dates and modalities narrow, the rest is looked for.
export function read(text, { now = new Date(), monthFirst = false } = {}) {
  const words = cut(text);
  const parts = { date: null, dateWord: '', modalities: [], uid: '', words: [] };
  for (const word of words) {
    const date = parts.date ? null : readDate(word, now, monthFirst);
    if (date) Object.assign(parts, { date, dateWord: word });
    else if (/^[0-2](\.(0|[1-9]\d*)){3,}$/.test(word)) parts.uid = word;
    else if (MODALITIES.includes(word)) parts.modalities.push(word);
    else parts.words.push(word);
  }
  return parts;
}

// Digits may be a patient ID or an accession number; two of them, one of each.
function codes(digits) {
  const [a, b] = digits.map((word) => spellings(word));
  if (b) return [{ PatientID: a, AccessionNumber: b }, { PatientID: b, AccessionNumber: a }];
  return [{ PatientID: a }, { AccessionNumber: a }];
}

// The readings of the words that are neither date nor modality. IDs may have blanks in them.
function readings({ words, date }) {
  const letters = words.filter((w) => !/\d/.test(w) && /\p{L}/u.test(w));
  const digits = words.filter((w) => /\d/.test(w));
  const names = letters.length ? nameKeys(letters) : {};
  if (digits.length > 0) {
    const found = codes(digits).map((keys) => ({ ...names, ...keys }));
    if (words.length > 1) found.push(...codes([words.join(' ')]));
    if (!digits.every((w) => /\p{L}/u.test(w))) return found;
    // Letters and digits in one word are found in names, too: phantoms, volunteers of a trial.
    return [words.length > 1 ? nameKeys(words) : { PatientName: `*${digits[0]}*`.replace(/\*+/g, '*') }, ...found];
  }
  if (letters.length === 0 && words.some((w) => /[^*]/.test(w))) return codes([words.join(' ')]);
  if (letters.length !== 1 || date) return [names];
  return [names, ...codes(letters)];
}

// The readings of a date: the day of the study, of birth when it is one day, and perhaps just a number.
function withDate(keys, parts) {
  if (!parts.date) return [keys];
  const found = [{ ...keys, StudyDate: dateKey(parts.date) }];
  const { from, to } = parts.date;
  if (from === to && !Object.hasOwn(WORDS, parts.dateWord.toLowerCase()))
    found.push({ ...keys, PatientBirthDate: from });
  if (/^\d+$/.test(parts.dateWord) && !keys.PatientID && !keys.AccessionNumber)
    found.push({ ...keys, PatientID: `${parts.dateWord}*` }, { ...keys, AccessionNumber: `${parts.dateWord}*` });
  return found;
}

// What the filters ask for, whatever the text says. They may have: modalities, date {from, to}, accession,
// id, physician, description, uids.
function filterKeys(filters) {
  const keys = {};
  if (filters.date) keys.StudyDate = dateKey(filters.date);
  if (filters.accession) keys.AccessionNumber = spellings(filters.accession);
  if (filters.id) keys.PatientID = spellings(filters.id);
  if (filters.physician) Object.assign(keys, { ReferringPhysicianName: filters.physician, fuzzymatching: 'true' });
  if (filters.description) keys.StudyDescription = spellings(filters.description, '*', '*');
  if (filters.uids?.length) keys.StudyInstanceUID = filters.uids.join(',');
  return keys;
}

// Text and filters -> {searches: [keys of a search, …], parts}. A key that text and filter both have is the
// filter's, and a reading that only differed in it is asked for once.
export function understand(text, filters = {}, options = {}) {
  const parts = read(text, options);
  const fixed = filterKeys(filters);
  const modalities = filters.modalities?.length ? filters.modalities : parts.modalities;
  if (modalities.length) fixed.ModalitiesInStudy = modalities.join('\\');
  if (parts.uid) fixed.StudyInstanceUID = parts.uid;
  const searches = new Map();
  for (const reading of readings(parts))
    for (const keys of withDate(reading, parts)) {
      const all = { ...keys, ...fixed };
      searches.set(JSON.stringify(Object.entries(all).sort()), all);
    }
  return { searches: [...searches.values()], parts };
}
