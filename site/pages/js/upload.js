// The upload under way. It belongs to no page: it goes on while one looks at others.
//
// Files are read only when they are sent. They go in requests of some megabytes, a few at a time; an answer
// that never came is asked for again, since storing the same object twice is no error.
import { arrayOfPromises } from './gather.js';
import { sniff } from './files.js';
import { unzipped } from './unzip.js';
import { session, state } from './session.js';
import { judge, post, readReport, reasonKey } from './stow.js';
import { events } from './api.js';

const BATCH_BYTES = 16e6, BATCH_FILES = 64, AT_ONCE = 3, ATTEMPTS = 4;
const WINDOW_MS = 6000;

// 'stored', at most every two seconds, while studies arrive.
export const arrivals = new EventTarget();

class Upload extends EventTarget {
  constructor() {
    super();
    this.clear();
    session.addEventListener('change', () => this.signedIn());
    window.addEventListener('beforeunload', (e) => this.active && e.preventDefault());
  }

  clear() {
    Object.assign(this, { waiting: [], failed: [], skipped: [], requests: new Set(), scanning: 0, paused: '',
      studies: new Set(), samples: [], files: 0, bytes: 0, storedFiles: 0, storedBytes: 0, cancelled: 0 });
    this.stop = new AbortController();
    this.changed();
  }

  get active() {
    return this.scanning > 0 || this.waiting.length > 0 || this.requests.size > 0;
  }

  get begun() {
    return this.files + this.cancelled + this.skipped.length + this.scanning > 0;
  }

  changed() {
    if (this.telling) return;
    this.telling = setTimeout(() => {
      this.telling = 0;
      this.dispatchEvent(new Event('change'));
    }, 120);
  }

  // --- files come

  async add(found) {
    this.scanning++;
    const { stop } = this;
    try {
      for await (const some of arrayOfPromises(unzipped(found), async ({ file, path }) => ({ file, path, ...await sniff(file) }))) {
        if (stop.signal.aborted) break;
        for (const item of some) this.take(item);
        this.pump();
      }
    } finally {
      if (stop === this.stop) this.scanning--;
      this.pump();
    }
  }

  take({ file, path, uid, why }) {
    if (why) this.skipped.push({ path, why });
    else {
      this.waiting.push({ file, path, uid, attempts: 0 });
      this.files++;
      this.bytes += file.size;
    }
    this.changed();
  }

  // --- requests go

  // Never two of the same UID: the report could not tell them apart.
  batch() {
    const batch = [], uids = new Set();
    let bytes = 0;
    while (this.waiting.length && batch.length < BATCH_FILES) {
      const { file, alone, uid } = this.waiting[0];
      if (batch.length && (alone || bytes + file.size > BATCH_BYTES || (uid && uids.has(uid)))) break;
      batch.push(this.waiting.shift());
      uids.add(uid);
      bytes += file.size;
      if (alone) break;
    }
    return batch;
  }

  worthSending() {
    if (!this.scanning || this.requests.size === 0) return this.waiting.length > 0;
    return this.waiting.length >= BATCH_FILES || this.waiting.reduce((n, w) => n + w.file.size, 0) >= BATCH_BYTES;
  }

  pump() {
    while (!this.paused && this.requests.size < AT_ONCE && this.worthSending()) this.run(this.batch());
    this.changed();
  }

  async run(batch) {
    const request = { batch, bytes: batch.reduce((n, item) => n + item.file.size, 0), part: 0 };
    const { stop } = this;
    this.requests.add(request);
    const answer = await post(batch.map((item) => item.file), (part) => {
      request.part = part;
      this.changed();
    }, stop.signal);
    if (stop !== this.stop || stop.signal.aborted) return;
    this.requests.delete(request);
    this.answered(batch, answer);
    this.pump();
  }

  answered(batch, { status, json, wait_s }) {
    if (status === 200 || status === 202 || status === 409) this.report(batch, status, json);
    else if (status === 401) this.signedOut(batch);
    else if (status === 413 && batch.length > 1) this.again(batch.map((item) => ({ ...item, alone: true })));
    else if ((status === 0 || status === 429 || status >= 500) && status !== 501) this.later(batch, status, wait_s);
    else this.fail(batch, status === 403 ? 'reason_denied' : status === 413 ? 'reason_large' : 'reason_processing');
  }

  report(batch, status, json) {
    if (status !== 409) events.dispatchEvent(new Event('used'));
    const report = readReport(json);
    judge(batch.map((item) => item.uid), report, status === 200).forEach((verdict, i) => {
      if (verdict === 'stored') this.stored(batch[i]);
      else this.fail([batch[i]], reasonKey(verdict));
    });
    for (const study of report.studies) this.studies.add(study);
    if (report.studies.size) this.tell();
  }

  stored(item) {
    this.storedFiles++;
    this.storedBytes += item.file.size;
  }

  fail(batch, why) {
    for (const item of batch) this.failed.push({ ...item, why });
  }

  again(batch) {
    this.waiting.unshift(...batch);
  }

  // The archive is busy, or was not reached: wait, longer each time.
  later(batch, status, wait_s) {
    const over = batch.filter((item) => ++item.attempts >= ATTEMPTS);
    this.fail(over, status ? 'reason_resources' : 'reason_network');
    const rest = batch.filter((item) => item.attempts < ATTEMPTS);
    if (rest.length === 0) return;
    this.again(rest);
    this.paused = status ? 'busy' : 'offline';
    const { stop } = this;
    setTimeout(() => {
      if (stop !== this.stop || this.paused === 'sign_in') return;
      this.paused = '';
      this.pump();
    }, Math.max(wait_s * 1000, 1000 * 2 ** rest[0].attempts));
  }

  signedOut(batch) {
    this.again(batch);
    this.paused = 'sign_in';
    events.dispatchEvent(new Event('signed-out'));
  }

  // What one user began, no other goes on with.
  signedIn() {
    if (!state.me) return;
    if (session.another && this.begun) this.clearAll();
    if (this.paused === 'sign_in') {
      this.paused = '';
      this.pump();
    }
  }

  // --- by hand

  cancel() {
    this.stop.abort();
    const open = [...this.waiting, ...[...this.requests].flatMap((r) => r.batch)];
    this.cancelled += open.length;
    this.files -= open.length;
    this.bytes -= open.reduce((n, item) => n + item.file.size, 0);
    Object.assign(this, { waiting: [], requests: new Set(), scanning: 0, paused: '', stop: new AbortController() });
    this.changed();
  }

  retry() {
    const again = this.failed.splice(0).map(({ why, ...item }) => ({ ...item, attempts: 0 }));
    this.waiting.push(...again);
    this.pump();
  }

  clearAll() {
    this.stop.abort();
    this.clear();
  }

  // --- figures

  progress() {
    let sent = this.storedBytes;
    for (const item of this.failed) sent += item.file.size;
    for (const r of this.requests) sent += r.part * r.bytes;
    return { sent, share: this.bytes ? Math.min(1, sent / this.bytes) : 0, ...this.pace(sent) };
  }

  // Bytes and files a second of the last seconds, and what remains at this pace; 0: not known yet.
  pace(sent) {
    const now = performance.now();
    this.samples.push({ at: now, sent, files: this.storedFiles });
    while (this.samples.length > 2 && now - this.samples[0].at > WINDOW_MS) this.samples.shift();
    const [first] = this.samples, s = (now - first.at) / 1000;
    if (s < 1 || sent <= first.sent) return { rate: 0, filesRate: 0, left_s: 0 };
    const rate = (sent - first.sent) / s;
    return { rate, filesRate: (this.storedFiles - first.files) / s, left_s: (this.bytes - sent) / rate };
  }

  tell() {
    if (this.told) return;
    this.told = setTimeout(() => {
      this.told = 0;
      arrivals.dispatchEvent(new Event('stored'));
    }, this.active ? 2000 : 200);
  }
}

export const upload = new Upload();
