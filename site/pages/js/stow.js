// One request of STOW-RS (PS3.18 10.5), and its answer read for each file.
import { text, values } from './dicom.js';

export function body(files) {
  const random = crypto.getRandomValues(new Uint8Array(16));
  const boundary = `galena-${[...random].map((b) => b.toString(16).padStart(2, '0')).join('')}`;
  const parts = [];
  for (const file of files) parts.push(`--${boundary}\r\nContent-Type: application/dicom\r\n\r\n`, file, '\r\n');
  parts.push(`--${boundary}--\r\n`);
  return { blob: new Blob(parts), type: `multipart/related; type="application/dicom"; boundary=${boundary}` };
}

// Resolves to {status, json, wait_s}; status 0: the archive was not reached. `stop` is a signal.
export function post(files, onprogress, stop) {
  return new Promise((resolve) => {
    const { blob, type } = body(files);
    const xhr = new XMLHttpRequest();
    xhr.open('POST', '/dicomweb/studies');
    xhr.setRequestHeader('Content-Type', type);
    xhr.setRequestHeader('Accept', 'application/dicom+json');
    xhr.upload.onprogress = (e) => onprogress(e.loaded / Math.max(1, e.total));
    const end = () => resolve({ status: xhr.status, json: parse(xhr.responseText),
      wait_s: Number(xhr.status && xhr.getResponseHeader('Retry-After')) || 0 });
    xhr.onload = xhr.onerror = xhr.onabort = xhr.ontimeout = end;
    stop.addEventListener('abort', () => xhr.abort(), { once: true });
    xhr.send(blob);
  });
}

function parse(written) {
  try {
    const json = JSON.parse(written);
    return Array.isArray(json) ? json[0] : json;
  } catch {
    return null;
  }
}

const uidOf = (item) => text(item, 'ReferencedSOPInstanceUID');
const reasonOf = (item) => Number(values(item, 'FailureReason')[0]) || 0;

// {stored: Set of UIDs, count: how many were stored, failed: Map UID -> reason, others: [reason of what has no UID], studies: Set of UIDs}
export function readReport(report) {
  const stored = values(report, 'ReferencedSOPSequence');
  const studies = stored.map((item) => /\/studies\/([0-9.]+)/.exec(text(item, 'RetrieveURL'))?.[1]).filter(Boolean);
  return {
    stored: new Set(stored.map(uidOf)),
    count: stored.length,
    failed: new Map(values(report, 'FailedSOPSequence').map((item) => [uidOf(item), reasonOf(item)])),
    others: values(report, 'OtherFailuresSequence').map(reasonOf),
    studies: new Set(studies),
  };
}

// For each UID of the files sent (it may be unknown): 'stored', or the number of the reason why not. A file whose
// head says another UID than its data set is stored under the latter: the report does not name it, but counts it.
// What else it does not name is what failed without a UID, in the order sent.
export function judge(uids, report, allStored) {
  const named = (uid) => uid && report.stored.has(uid) && !report.failed.has(uid);
  const others = [...report.others];
  let unnamed = report.count - uids.filter(named).length;
  return uids.map((uid) => {
    if (uid && report.failed.has(uid)) return report.failed.get(uid);
    if (named(uid) || allStored) return 'stored';
    if (uid && unnamed-- > 0) return 'stored';
    return others.length ? others.shift() : uid ? 0 : 'stored';
  });
}

// Failure reasons: PS3.18 Table I.2-2, PS3.3 C.14.1.1.
export function reasonKey(code) {
  if (code === 0x0122) return 'reason_class';
  if (code === 0xC122) return 'reason_syntax';
  if (code === 0x0124) return 'reason_denied';
  if (code >> 8 === 0xA7) return 'reason_resources';
  if (code >> 8 === 0xA9) return 'reason_mismatch';
  if (code >> 12 === 0xC) return 'reason_understand';
  return 'reason_processing';
}
