// QR codes (ISO/IEC 18004), as far as an otpauth URI needs them: bytes, error correction level M, versions 1 to
// 20 (up to 666 bytes). encode(text) -> a square of booleans, true is dark.

const VERSIONS = 20;
// Of level M, by version: check codewords in a block, and blocks.
const CHECK = [0, 10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26];
const BLOCKS = [0, 1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16];

const sizeOf = (version) => 17 + 4 * version;

// Centres of the alignment patterns, in either direction.
function alignments(version) {
  if (version === 1) return [];
  const count = Math.floor(version / 7) + 2;
  const step = Math.ceil((sizeOf(version) - 13) / (2 * count - 2)) * 2;
  const places = [6];
  for (let at = sizeOf(version) - 7; places.length < count; at -= step) places.splice(1, 0, at);
  return places;
}

function codewords(version) {
  let modules = (16 * version + 128) * version + 64;
  if (version >= 2) {
    const n = Math.floor(version / 7) + 2;
    modules -= (25 * n - 10) * n - 55;
  }
  return (version >= 7 ? modules - 36 : modules) >> 3;
}

const capacity = (version) => codewords(version) - CHECK[version] * BLOCKS[version];

// --- Reed-Solomon over GF(256), polynomial 0x11D

function times(a, b) {
  let product = 0;
  for (let bit = 7; bit >= 0; bit--) {
    product = (product << 1) ^ ((product >> 7) * 0x11d);
    product ^= ((b >> bit) & 1) * a;
  }
  return product;
}

function generator(degree) {
  const g = new Uint8Array(degree);
  g[degree - 1] = 1;
  let root = 1;
  for (let i = 0; i < degree; i++) {
    for (let j = 0; j < degree; j++) g[j] = times(g[j], root) ^ (j + 1 < degree ? g[j + 1] : 0);
    root = times(root, 2);
  }
  return g;
}

function checkOf(data, g) {
  const rest = new Uint8Array(g.length);
  for (const byte of data) {
    const factor = byte ^ rest[0];
    rest.copyWithin(0, 1);
    rest[g.length - 1] = 0;
    for (let i = 0; i < g.length; i++) rest[i] ^= times(g[i], factor);
  }
  return rest;
}

// --- the codewords

function dataBytes(bytes, version) {
  const bits = [];
  const put = (value, n) => { for (let i = n - 1; i >= 0; i--) bits.push((value >> i) & 1); };
  put(4, 4);
  put(bytes.length, version < 10 ? 8 : 16);
  for (const byte of bytes) put(byte, 8);
  const room = capacity(version) * 8;
  put(0, Math.min(4, room - bits.length));
  put(0, -bits.length & 7);
  for (let pad = 0xec; bits.length < room; pad ^= 0xec ^ 0x11) put(pad, 8);
  return Uint8Array.from({ length: room / 8 }, (_, i) => parseInt(bits.slice(i * 8, i * 8 + 8).join(''), 2));
}

// Blocks, the short ones first, read across.
function interleaved(data, version) {
  const blocks = BLOCKS[version], short = Math.floor(data.length / blocks), long = data.length % blocks;
  const g = generator(CHECK[version]);
  const parts = [];
  for (let i = 0, at = 0; i < blocks; i++) {
    const n = short + (i >= blocks - long ? 1 : 0);
    const part = data.subarray(at, at += n);
    parts.push({ part, check: checkOf(part, g) });
  }
  const all = [];
  for (let i = 0; i <= short; i++) for (const { part } of parts) if (i < part.length) all.push(part[i]);
  for (let i = 0; i < CHECK[version]; i++) for (const { check } of parts) all.push(check[i]);
  return all;
}

// --- the square

class Square {
  constructor(version) {
    this.version = version;
    this.size = sizeOf(version);
    this.dark = Array.from({ length: this.size }, () => new Array(this.size).fill(false));
    this.fixed = Array.from({ length: this.size }, () => new Array(this.size).fill(false));
    this.patterns();
  }

  set(x, y, dark) {
    if (x < 0 || y < 0 || x >= this.size || y >= this.size) return;
    this.dark[y][x] = Boolean(dark);
    this.fixed[y][x] = true;
  }

  rings(cx, cy, radius, isDark) {
    for (let dy = -radius; dy <= radius; dy++)
      for (let dx = -radius; dx <= radius; dx++)
        this.set(cx + dx, cy + dy, isDark(Math.max(Math.abs(dx), Math.abs(dy))));
  }

  patterns() {
    const end = this.size - 1;
    for (let i = 0; i < this.size; i++) {
      this.set(6, i, i % 2 === 0);
      this.set(i, 6, i % 2 === 0);
    }
    for (const [x, y] of [[3, 3], [end - 3, 3], [3, end - 3]]) this.rings(x, y, 4, (d) => d !== 2 && d !== 4);
    const places = alignments(this.version), last = places.at(-1);
    for (const x of places)
      for (const y of places)
        if (!((x === 6 && y === 6) || (x === 6 && y === last) || (x === last && y === 6)))
          this.rings(x, y, 2, (d) => d !== 1);
    this.format(0);
    if (this.version >= 7) this.versionBits();
  }

  // Level M is 00; then the mask, BCH(15,5) and the fixed pattern over it.
  format(mask) {
    let rest = mask;
    for (let i = 0; i < 10; i++) rest = (rest << 1) ^ ((rest >> 9) * 0x537);
    const bits = ((mask << 10) | rest) ^ 0x5412, bit = (i) => (bits >> i) & 1, { size } = this;
    for (let i = 0; i < 6; i++) this.set(8, i, bit(i));
    this.set(8, 7, bit(6));
    this.set(8, 8, bit(7));
    this.set(7, 8, bit(8));
    for (let i = 9; i < 15; i++) this.set(14 - i, 8, bit(i));
    for (let i = 0; i < 8; i++) this.set(size - 1 - i, 8, bit(i));
    for (let i = 8; i < 15; i++) this.set(8, size - 15 + i, bit(i));
    this.set(8, size - 8, true);
  }

  versionBits() {
    let rest = this.version;
    for (let i = 0; i < 12; i++) rest = (rest << 1) ^ ((rest >> 11) * 0x1f25);
    const bits = (this.version << 12) | rest;
    for (let i = 0; i < 18; i++) {
      const a = this.size - 11 + (i % 3), b = Math.floor(i / 3);
      this.set(a, b, (bits >> i) & 1);
      this.set(b, a, (bits >> i) & 1);
    }
  }

  // Two columns at a time from the right, up and down by turns.
  fill(bytes) {
    let i = 0;
    for (let right = this.size - 1; right >= 1; right -= 2) {
      if (right === 6) right = 5;
      const up = ((right + 1) & 2) === 0;
      for (let v = 0; v < this.size; v++)
        for (const x of [right, right - 1]) {
          const y = up ? this.size - 1 - v : v;
          if (this.fixed[y][x] || i >= bytes.length * 8) continue;
          this.dark[y][x] = ((bytes[i >> 3] >> (7 - (i & 7))) & 1) === 1;
          i++;
        }
    }
  }

  mask(number) {
    const on = MASKS[number];
    for (let y = 0; y < this.size; y++)
      for (let x = 0; x < this.size; x++)
        if (!this.fixed[y][x] && on(x, y)) this.dark[y][x] = !this.dark[y][x];
    this.format(number);
  }
}

const MASKS = [
  (x, y) => (x + y) % 2 === 0, (x, y) => y % 2 === 0, (x) => x % 3 === 0, (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0, (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0, (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0];

// How hard it is to read (7.8.3): long runs, blocks, what looks like a finder, too dark or too light.
function penalty({ dark, size }) {
  let sum = 0, count = 0;
  const lines = [...dark, ...dark.map((_, x) => dark.map((row) => row[x]))];
  for (const line of lines) {
    const text = line.map((d) => (d ? '1' : '0')).join('');
    for (const run of text.match(/0{5,}|1{5,}/g) || []) sum += run.length - 2;
    sum += 40 * (text.match(/(?=00001011101|10111010000)/g) || []).length;
  }
  for (let y = 0; y < size; y++)
    for (let x = 0; x < size; x++) {
      count += dark[y][x];
      if (x && y && dark[y][x] === dark[y - 1][x] && dark[y][x] === dark[y][x - 1] && dark[y][x] === dark[y - 1][x - 1])
        sum += 3;
    }
  return sum + 10 * Math.floor(Math.abs((count * 100) / (size * size) - 50) / 5);
}

export function encode(text) {
  const bytes = new TextEncoder().encode(text);
  let version = 1;
  while (version <= VERSIONS && bytes.length + (version < 10 ? 2 : 3) > capacity(version)) version++;
  if (version > VERSIONS) throw new RangeError('too long for a QR code');
  const all = interleaved(dataBytes(bytes, version), version);
  const tried = MASKS.map((_, number) => {
    const square = new Square(version);
    square.fill(all);
    square.mask(number);
    return square;
  });
  return tried.reduce((a, b) => (penalty(b) < penalty(a) ? b : a)).dark;
}

// The path of an SVG, one unit a module, with the quiet zone of four.
export function pathOf(square) {
  let d = '';
  square.forEach((row, y) => row.forEach((dark, x) => { if (dark) d += `M${x + 4} ${y + 4}h1v1h-1z`; }));
  return { d, size: square.length + 8 };
}
