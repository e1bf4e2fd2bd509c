// Files that somebody drops or chooses: all of a folder, and which of them may be DICOM.

const HEAD_BYTES = 2048;

async function* entriesOf(folder) {
  const reader = folder.createReader();
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return;
    yield* some;
  }
}

const fileOf = (entry) => new Promise((resolve, reject) => entry.file(resolve, reject));

async function* walk(entry) {
  try {
    if (entry.isFile) yield { file: await fileOf(entry), path: entry.fullPath.replace(/^\//, '') };
    else for await (const inner of entriesOf(entry)) yield* walk(inner);
  } catch {
    yield { file: null, path: entry.fullPath.replace(/^\//, '') };
  }
}

// What was dropped must be asked for its entries at once: after the event it is empty.
export function fromDrop(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === 'file');
  const entries = items.map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const files = entries.length ? [] : [...transfer.files];
  return (async function* all() {
    for (const entry of entries) yield* walk(entry);
    for (const file of files) yield { file, path: file.name };
  })();
}

export async function* fromPicker(files) {
  for (const file of files) yield { file, path: file.webkitRelativePath || file.name };
}

// --- the beginning of a file

const LONG = new Set(['OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'SQ', 'SV', 'UC', 'UN', 'UR', 'UT', 'UV']);

function ascii(view, at, n) {
  let text = '';
  for (let i = 0; i < n; i++) text += String.fromCharCode(view.getUint8(at + i));
  return text;
}

// The File Meta Information (PS3.10 7.1), explicit VR little endian: {class, instance}.
function meta(view, start) {
  const found = { class: '', instance: '' };
  for (let at = start; at + 8 <= view.byteLength && view.getUint16(at, true) === 2;) {
    const element = view.getUint16(at + 2, true), long = LONG.has(ascii(view, at + 4, 2));
    if (long && at + 12 > view.byteLength) break;
    const length = long ? view.getUint32(at + 8, true) : view.getUint16(at + 6, true);
    const value = at + (long ? 12 : 8);
    if (value + length > view.byteLength) break;
    if (element === 2) found.class = ascii(view, value, length).replace(/[\0 ]+$/, '');
    if (element === 3) found.instance = ascii(view, value, length).replace(/[\0 ]+$/, '');
    at = value + length;
  }
  return found;
}

const DICOMDIR = '1.2.840.10008.1.3.10';

// {why} when it is not to be sent: empty, dicomdir, not_dicom; else {uid}, which may be unknown. A file without
// preamble begins with a group that data sets begin with; the archive decides about those.
export async function sniff(file) {
  if (!file) return { why: 'unreadable' };
  if (file.size === 0) return { why: 'empty' };
  if (/(^|\/)\.|^DICOMDIR$/.test(file.name)) return { why: file.name === 'DICOMDIR' ? 'dicomdir' : 'hidden' };
  let view;
  try {
    view = new DataView(await file.slice(0, HEAD_BYTES).arrayBuffer());
  } catch {
    return { why: 'unreadable' };
  }
  if (view.byteLength >= 132 && ascii(view, 128, 4) === 'DICM') {
    const { class: sopClass, instance } = meta(view, 132);
    return sopClass === DICOMDIR ? { why: 'dicomdir' } : { uid: instance };
  }
  const group = view.byteLength >= 8 ? view.getUint16(0, true) : 0;
  return (group === 2 || group === 8) && view.getUint16(2, true) < 0x100 ? { uid: meta(view, 0).instance } :
    { why: 'not_dicom' };
}
