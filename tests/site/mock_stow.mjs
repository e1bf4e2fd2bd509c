// STOW-RS of the mock: parts of multipart/related, and a report on each (PS3.18 10.5).
import { dataset } from './mock_patients.mjs';

export function readParts(body, type) {
  const boundary = Buffer.from(`--${/boundary="?([^";]+)/.exec(type)[1]}`);
  const parts = [];
  for (let at = body.indexOf(boundary); ;) {
    const next = body.indexOf(boundary, at + boundary.length);
    if (next < 0) return parts;
    const part = body.subarray(at + boundary.length + 2, next - 2);
    parts.push(part.subarray(part.indexOf('\r\n\r\n') + 4));
    at = next;
  }
}

// The first value of an element, explicit VR little endian; enough for what the tests upload.
export function element(part, group, number) {
  const at = part.indexOf(Buffer.from([group & 255, group >> 8, number & 255, number >> 8]), 128);
  return at < 0 ? '' : part.subarray(at + 8, at + 8 + part.readUInt16LE(at + 6)).toString('utf8').replace(/[\0 ]+$/, '');
}

const item = (uid, more) => ({ '00081150': { vr: 'UI', Value: ['1.2.840.10008.5.1.4.1.1.7'] }, '00081155': { vr: 'UI', Value: [uid] }, ...more });

function studyOf(mock, part, uid) {
  if (mock.studies.some((s) => s.dataset['0020000D'].Value[0] === uid)) return;
  mock.studies.push({ series: [], dataset: dataset({ uid, name: { Alphabetic: element(part, 0x10, 0x10) || 'Uploaded^Just' }, id: 'UP-1', birth: '19700101',
    sex: 'F', date: '20991231', time: '120000', accession: 'UP', description: 'Uploaded', doctor: '', modalities: ['OT'], series: 1, instances: 1 }) });
}

export function storeParts(mock, parts) {
  const stored = [], failed = [], others = [];
  for (const part of parts) {
    const instance = element(part, 2, 3), study = element(part, 0x20, 0x0d);
    if (!instance) others.push({ '00081197': { vr: 'US', Value: [0xC000] } });
    else if (part.includes('REFUSE ME')) failed.push(item(instance, { '00081197': { vr: 'US', Value: [0x0122] } }));
    else {
      stored.push(item(instance, { '00081190': { vr: 'UR', Value: [`http://mock/dicomweb/studies/${study}/series/1/instances/${instance}`] } }));
      studyOf(mock, part, study);
      mock.stored.push(instance);
    }
  }
  const sq = (list) => ({ vr: 'SQ', Value: list });
  return { status: failed.length + others.length === 0 ? 200 : stored.length ? 202 : 409, report: {
    ...(stored.length ? { '00081199': sq(stored) } : {}), ...(failed.length ? { '00081198': sq(failed) } : {}),
    ...(others.length ? { '0008119A': sq(others) } : {}) } };
}
