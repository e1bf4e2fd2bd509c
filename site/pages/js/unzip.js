// ZIP files that somebody drops: each file in them, by the directory at the end (APPNOTE 4.3). Stored files are
// parts of the ZIP and take no memory; the others are inflated when their turn comes.

const END_BYTES = 22, COMMENT_MAX = 65535, FILES_MAX = 1e6;
const SIGNATURES = { entry: 0x02014b50, local: 0x04034b50, end: 0x06054b50, end64: 0x06064b50, locator64: 0x07064b50 };
const FULL32 = 0xFFFFFFFF, STORED = 0, DEFLATED = 8, ENCRYPTED = 1;

async function viewOf(blob, from, to) {
  return new DataView(await blob.slice(from, to).arrayBuffer());
}

export async function isZip(file) {
  if (!file || file.size < END_BYTES) return false;
  const view = await viewOf(file, 0, 4);
  return view.byteLength === 4 && view.getUint32(0, true) === SIGNATURES.local;
}

function long(view, at) {
  return Number(view.getBigUint64(at, true));
}

// Where the directory is: {from, bytes}.
async function directory(zip) {
  const start = Math.max(0, zip.size - END_BYTES - COMMENT_MAX - 20), tail = await viewOf(zip, start, zip.size);
  let at = tail.byteLength - END_BYTES;
  const isEnd = () => tail.getUint32(at, true) === SIGNATURES.end &&
    at + END_BYTES + tail.getUint16(at + 20, true) === tail.byteLength;
  while (at >= 0 && !isEnd()) at--;
  if (at < 0) throw new Error('no end');
  const found = { bytes: tail.getUint32(at + 12, true), from: tail.getUint32(at + 16, true) };
  if (at < 20 || tail.getUint32(at - 20, true) !== SIGNATURES.locator64) return found;
  const end = await viewOf(zip, long(tail, at - 12), long(tail, at - 12) + 56);
  if (end.getUint32(0, true) !== SIGNATURES.end64) throw new Error('no end');
  return { bytes: long(end, 40), from: long(end, 48) };
}

// Sizes and places that do not fit 32 bits are in an extra field, in this order (4.5.3).
function widen(entry, extra) {
  for (let at = 0; at + 4 <= extra.byteLength; at += 4 + extra.getUint16(at + 2, true)) {
    if (extra.getUint16(at, true) !== 1) continue;
    let place = at + 4;
    for (const name of ['size', 'packed', 'offset'])
      if (entry[name] === FULL32) {
        entry[name] = long(extra, place);
        place += 8;
      }
  }
  return entry;
}

function* entries(view) {
  for (let at = 0, n = 0; at + 46 <= view.byteLength && n < FILES_MAX; n++) {
    if (view.getUint32(at, true) !== SIGNATURES.entry) throw new Error('no entry');
    const name = view.getUint16(at + 28, true), extra = view.getUint16(at + 30, true);
    const bytes = (from, length) => new Uint8Array(view.buffer, view.byteOffset + from, length);
    const text = new TextDecoder().decode(bytes(at + 46, name));
    yield widen({ path: text, flags: view.getUint16(at + 8, true), method: view.getUint16(at + 10, true),
      packed: view.getUint32(at + 20, true), size: view.getUint32(at + 24, true), offset: view.getUint32(at + 42, true) },
    new DataView(view.buffer, view.byteOffset + at + 46 + name, extra));
    at += 46 + name + extra + view.getUint16(at + 32, true);
  }
}

async function inflated(packed, size) {
  const blob = await new Response(packed.stream().pipeThrough(new DecompressionStream('deflate-raw'))).blob();
  if (blob.size !== size) throw new Error('not as long as it says');
  return blob;
}

async function fileOf(zip, entry) {
  const head = await viewOf(zip, entry.offset, entry.offset + 30);
  if (head.getUint32(0, true) !== SIGNATURES.local || entry.flags & ENCRYPTED) return null;
  const from = entry.offset + 30 + head.getUint16(26, true) + head.getUint16(28, true);
  const packed = zip.slice(from, from + entry.packed), name = entry.path.split('/').pop();
  if (packed.size !== entry.packed) return null;
  if (entry.method === STORED) return new File([packed], name);
  return entry.method === DEFLATED ? new File([await inflated(packed, entry.size)], name) : null;
}

// The files of a ZIP, as {file, path}; file is null where it cannot be read, for the ZIP itself when nothing can.
async function* filesOf(zip, path) {
  try {
    const { from, bytes } = await directory(zip);
    for (const entry of entries(await viewOf(zip, from, from + bytes))) {
      if (entry.path.endsWith('/')) continue;
      yield { file: await fileOf(zip, entry).catch(() => null), path: `${path}/${entry.path}` };
    }
  } catch {
    yield { file: null, path };
  }
}

export async function* unzipped(found) {
  for await (const item of found) {
    if (await isZip(item.file).catch(() => false)) yield* filesOf(item.file, item.path);
    else yield item;
  }
}
