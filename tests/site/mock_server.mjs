// A server that answers as an archive does (docs/web-api.md), with invented patients: for work on the pages and
// their tests. Without HTTPS: browsers take http://127.0.0.1 for safe.
//
//     node tests/site/mock_server.mjs [PORT]       prints its address
//
// POST /mock {"fail": {"/dicomweb/studies": 500}, "empty": true, "delay_ms": 100, …} changes how it answers.
import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { studies as invented } from './mock_patients.mjs';
import { readParts, storeParts } from './mock_stow.mjs';

const PAGES = fileURLToPath(new URL('../../site/pages', import.meta.url));
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml' };
export const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; " +
  "font-src 'self'; connect-src 'self'; manifest-src 'self'; object-src 'none'; base-uri 'none'; " +
  "form-action 'self'; frame-ancestors 'none'";

const USERS = {
  doctor: { password: 'first light', roles: ['radiographer'], rights: ['store', 'query', 'retrieve'] },
  reader: { password: 'first light', roles: ['reader'], rights: ['query', 'retrieve'] },
  chief: { password: 'first light', roles: ['reader', 'administrator'], code: '123456',
    rights: ['query', 'retrieve', 'delete', 'admin'] },
  admin: { password: 'first light', roles: ['administrator'], rights: ['delete', 'admin'] },
  'oidc:ann': { password: 'first light', roles: ['reader'], rights: ['query', 'retrieve'] }, // as if a provider had said so
};

class Mock {
  constructor() {
    this.reset();
  }

  reset() {
    Object.assign(this, { studies: invented(), fail: {}, delay_ms: 0, upload_delay_ms: 0, oidc: false, expires_s: 1800,
      sessions: new Map(), tokens: [], wrong: 0, stored: [], log: [], second_factor: {} });
  }

  set(change) {
    if (change.reset) this.reset();
    if (change.empty) this.studies = [];
    if (change.end_sessions) this.sessions.clear();
    for (const name of ['fail', 'delay_ms', 'upload_delay_ms', 'oidc', 'expires_s'])
      if (name in change) this[name] = change[name];
  }
}

// --- small things

function send(res, status, body, headers = {}) {
  const text = body === undefined ? '' : JSON.stringify(body);
  res.writeHead(status, { 'content-security-policy': POLICY, 'x-content-type-options': 'nosniff',
    'cache-control': 'no-store', ...(text ? { 'content-type': 'application/json' } : {}), ...headers });
  res.end(text);
}

const error = (res, status, code, message, more = {}) => send(res, status, { error: code, message, ...more });

async function bodyOf(req) {
  const parts = [];
  for await (const part of req) parts.push(part);
  return Buffer.concat(parts);
}

const asJson = async (req) => JSON.parse((await bodyOf(req)).toString() || '{}');
const now = () => new Date().toISOString().replace(/\.\d+/, '');

// --- who

function whoIs(mock, req) {
  const id = /__Host-galena=(\w+)/.exec(req.headers.cookie || '')?.[1] || /galena=(\w+)/.exec(req.headers.cookie || '')?.[1];
  return { id, user: mock.sessions.get(id) };
}

async function signIn(mock, req, res) {
  const { user, password, code } = await asJson(req);
  const known = USERS[user];
  if (mock.wrong >= 3) {
    mock.wrong = 0;
    return error(res, 429, 'wait', 'Too many attempts. Wait.', { wait_s: 2 });
  }
  if (!known || known.password !== password || (known.code && code && code !== known.code)) {
    mock.wrong++;
    return error(res, 401, 'wrong', 'User name, password or code is wrong.');
  }
  if (known.code && !code) return send(res, 202, { need_code: true, message: 'The code of the second factor is needed.' });
  const id = randomBytes(8).toString('hex');
  mock.sessions.set(id, user);
  return send(res, 200, { user }, { 'set-cookie': `galena=${id}; Path=/; HttpOnly; SameSite=Lax` });
}

function me(mock, user) {
  return { user, roles: USERS[user].roles, rights: USERS[user].rights, expires_s: mock.expires_s,
    second_factor: Boolean(USERS[user].code || mock.second_factor[user]),
    archive: { name: 'Radiologie am See', ae_title: 'GALENA', version: '0.1.0' } };
}

// --- DICOMweb

const value = (ds, tag) => ds[tag]?.Value?.[0];
const shown = (v) => (v && typeof v === 'object' ? Object.values(v).join('=') : String(v ?? ''));
const fold = (text) => text.normalize('NFD').replace(/[\u0300-\u036f]/g, '').replace(/ß/g, 'ss').toLowerCase();
const words = (text) => fold(text).split(/[^\p{L}]+/u).filter(Boolean).map((w) => w.replace(/([aou])e/g, '$1'));

const KEYS = { PatientName: '00100010', PatientID: '00100020', PatientBirthDate: '00100030', AccessionNumber: '00080050',
  StudyDate: '00080020', StudyDescription: '00081030', ReferringPhysicianName: '00080090', ModalitiesInStudy: '00080061',
  StudyInstanceUID: '0020000D' };

function matchesOne(have, pattern) {
  const expression = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replace(/\*/g, '.*').replace(/\?/g, '.');
  return new RegExp(`^${expression}$`, 'su').test(have);
}

function matches(ds, name, wanted, fuzzy) {
  const all = (ds[KEYS[name]]?.Value || []).map(shown);
  if (/Date$/.test(name)) {
    const [from, to = from] = wanted.split('-');
    return all.some((v) => (!from || v >= from) && (!to || v <= to));
  }
  if (/Name$/.test(name) && fuzzy)
    return words(wanted).every((key) => all.some((v) => words(v).some((w) => w.startsWith(key))));
  if (/Name$/.test(name)) return all.some((v) => matchesOne(fold(v), fold(wanted)));
  return wanted.split(/[\\,]/).some((pattern) => all.some((v) => matchesOne(v, pattern)));
}

const at = ({ dataset }) => shown(value(dataset, '00080020')) + shown(value(dataset, '00080030'));

function qido(mock, req, res, url) {
  const q = url.searchParams;
  const known = new Set([...Object.keys(KEYS), 'limit', 'offset', 'includefield', 'fuzzymatching', 'count']);
  for (const name of q.keys()) if (!known.has(name)) return error(res, 400, 'syntax', `what is ${name}?`);
  const all = mock.studies.filter(({ dataset }) => [...q].every(([name, wanted]) =>
    !KEYS[name] || wanted === '' || matches(dataset, name, wanted, q.get('fuzzymatching') === 'true')));
  all.sort((a, b) => at(b).localeCompare(at(a)));
  const offset = Number(q.get('offset') || 0), limit = Number(q.get('limit') || all.length);
  const rows = all.slice(offset, offset + limit).map((s) => s.dataset), left = all.length - offset - rows.length;
  if (rows.length === 0) return send(res, 204);
  const etag = `W/"${createHash('sha256').update(JSON.stringify(rows)).digest('hex').slice(0, 32)}"`;
  const headers = { etag, 'cache-control': 'private, no-cache', ...(left > 0 ? {
    warning: `299 Galena: "There are ${left} additional results that can be requested"` } : {}) };
  if (req.headers['if-none-match'] === etag) return send(res, 304, undefined, headers);
  return send(res, 200, rows, { 'content-type': 'application/dicom+json', ...headers });
}

function series(mock, res, uid) {
  const study = mock.studies.find((s) => value(s.dataset, '0020000D') === uid);
  if (!study) return error(res, 404, 'not_found', 'There is no such study.');
  return study.series.length ? send(res, 200, study.series, { 'content-type': 'application/dicom+json' }) : send(res, 204);
}

async function stow(mock, req, res) {
  const body = await bodyOf(req);
  if (mock.upload_delay_ms) await new Promise((go) => setTimeout(go, mock.upload_delay_ms));
  const { status, report } = storeParts(mock, readParts(body, req.headers['content-type']));
  send(res, status, report, { 'content-type': 'application/dicom+json' });
}

async function dicomweb(mock, req, res, url, rights) {
  const path = url.pathname.slice('/dicomweb'.length), one = /^\/studies\/([0-9.]+)(\/series(?:\/[0-9.]+)?)?$/.exec(path);
  const needs = { GET: one && one[2] !== '/series' ? 'retrieve' : 'query', POST: 'store', DELETE: 'delete' }[req.method];
  if (!rights.includes(needs)) return error(res, 403, 'forbidden', 'You are signed in, but may not do this.');
  if (req.method === 'POST' && path === '/studies') return stow(mock, req, res);
  if (req.method === 'DELETE' && one) {
    mock.studies = mock.studies.filter((s) => value(s.dataset, '0020000D') !== one[1]);
    return send(res, 204);
  }
  if (path === '/studies') return qido(mock, req, res, url);
  if (one?.[2] === '/series') return series(mock, res, one[1]);
  if (one) return send(res, 200, undefined, { 'content-type': 'application/zip' });
  return error(res, 404, 'not_found', 'There is nothing here.');
}

// --- account and administration

async function account(mock, req, res, path, who) {
  const token = /^\/api\/tokens\/(\w+)$/.exec(path)?.[1], session = /^\/api\/sessions\/(\w+)$/.exec(path)?.[1];
  if (path === '/api/me') return send(res, 200, me(mock, who.user));
  if (path === '/api/sign-out') {
    mock.sessions.delete(who.id);
    return send(res, 204, undefined, { 'set-cookie': 'galena=; Path=/; Max-Age=0' });
  }
  if (path === '/api/tokens' && req.method === 'GET') return send(res, 200, mock.tokens);
  if (path === '/api/tokens') {
    const { name, rights, days, password } = await asJson(req);
    if (password !== USERS[who.user].password) return unproven(res);
    const id = randomBytes(4).toString('hex');
    mock.tokens.push({ id, name, rights, created: now(), last_used: '',
      expires: new Date(Date.now() + days * 86400000).toISOString() });
    return send(res, 201, { id, token: `gal_${createHash('sha256').update(id).digest('base64url')}` });
  }
  if (token) {
    mock.tokens = mock.tokens.filter((other) => other.id !== token);
    return send(res, 204);
  }
  if (path === '/api/sessions') return send(res, 200, [...mock.sessions].filter(([, u]) => u === who.user).map(([id]) =>
    ({ id, created: now(), last_seen: now(), client: '127.0.0.1', current: id === who.id })));
  if (session) return send(res, 204, void mock.sessions.delete(session));
  return secrets(mock, req, res, path, who);
}

function unproven(res) {
  return error(res, 403, 'proof', 'The password or the code is wrong.');
}

async function secrets(mock, req, res, path, who) {
  const body = await asJson(req);
  if (path === '/api/password')
    return body.old === USERS[who.user].password ? send(res, 204) : unproven(res);
  if (path === '/api/second-factor')
    return send(res, 201, { secret: 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP',
      uri: `otpauth://totp/Radiologie%20am%20See:${who.user}?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Galena` });
  if (body.password !== USERS[who.user].password) return unproven(res);
  if (path === '/api/second-factor/confirm' && body.code === '123456') {
    mock.second_factor[who.user] = true;
    return send(res, 204);
  }
  if (path === '/api/second-factor/off') {
    if (body.code !== '654321') return unproven(res);
    delete mock.second_factor[who.user];
    return send(res, 204);
  }
  return error(res, 403, 'denied', 'is not authorised');
}

function today() {
  const hour = Math.floor(Date.now() / 3600000) * 3600;
  return Array.from({ length: 60 }, (_, i) => ({ hour: hour - (i % 24) * 3600, peer: ['ct1', 'mr-sued', 'us3'][i % 3],
    modality: ['CT', 'MR', 'US'][i % 3], studies: 1 + (i % 4), instances: 40 + ((i * 733) % 900) }));
}

function admin(mock, res, path) {
  const answers = {
    status: { patients: 311, studies: mock.studies.length, series: 1204, instances: 184233, store_bytes: 412e9, dead_bytes: 1e9,
      free_bytes: 530e9, reserve_bytes: 20e9, full: 0, failed_syncs: 0, connections: 12, connections_web: 4, stored: 18234,
      identical: 3, beside: 0, refused: 2, queries: 902, retrieved: 44012 },
    peers: [{ name: 'ct1', ae_title: 'CT1', can: ['store'], lane: 'tls', address: '', collections: [] },
      { name: 'befundung', ae_title: 'READING1', can: ['query', 'retrieve'], lane: 'tls', address: '10.1.4.20:11112', collections: ['thorax'] },
      { name: 'us3', ae_title: 'US3', can: ['store'], lane: 'plain', address: '', collections: [] }],
    users: Object.entries(USERS).map(([name, u]) => ({ name, roles: u.roles, collections: [], physician: '', second_factor: Boolean(u.code) })),
    today: mock.studies.length ? today() : [],
  };
  const answer = answers[path.slice('/api/admin/'.length)];
  return answer ? send(res, 200, answer) : error(res, 404, 'not_found', 'There is nothing here.');
}

// --- all

async function page(res, path) {
  const name = path === '/' ? '/index.html' : path;
  try {
    const bytes = await readFile(join(PAGES, name.replaceAll('..', '')));
    res.writeHead(200, { 'content-type': TYPES[extname(name)] || 'application/octet-stream', 'content-security-policy': POLICY,
      'cache-control': 'no-cache' });
    res.end(bytes);
  } catch {
    error(res, 404, 'not_found', 'There is nothing here.');
  }
}

async function serve(mock, req, res) {
  const url = new URL(req.url, 'http://mock'), path = url.pathname;
  if (path === '/mock') return send(res, 200, mock.set(await asJson(req)) || { stored: mock.stored, log: mock.log });
  mock.log.push(`${req.method} ${req.url}${req.headers['galena-passive'] ? ' (passive)' : ''}`);
  if (mock.delay_ms && /^\/(dicomweb|api)/.test(path)) await new Promise((go) => setTimeout(go, mock.delay_ms));
  const failing = mock.fail[path];
  if (failing === 'drop') return req.socket.destroy();
  if (failing) return error(res, failing, 'mock', 'as the test wanted');
  if (path === '/api/info') return send(res, 200, { name: 'Radiologie am See', version: '0.1.0', oidc: mock.oidc,
    oidc_name: mock.oidc ? 'Klinikkonto' : '', signed_in: Boolean(whoIs(mock, req).user) });
  if (path === '/api/sign-in') return signIn(mock, req, res);
  if (path === '/openapi.json') return send(res, 200, { openapi: '3.1.0' });
  if (path.startsWith('/viewer/')) return send(res, 200, { viewer: url.search });
  const who = whoIs(mock, req), rights = USERS[who.user]?.rights;
  if (!/^\/(api|dicomweb)\//.test(path)) return page(res, path);
  if (!rights) return error(res, 401, 'sign_in', 'Sign in, or send a valid token.');
  if (path.startsWith('/dicomweb/')) return dicomweb(mock, req, res, url, rights);
  if (path.startsWith('/api/admin/'))
    return rights.includes('admin') ? admin(mock, res, path) : error(res, 403, 'forbidden', 'You may not do this.');
  return account(mock, req, res, path, who);
}

// Resolves to {address, mock, close}.
export function start(port = 0) {
  const mock = new Mock();
  const server = createServer((req, res) => serve(mock, req, res).catch((e) => error(res, 500, 'bug', String(e))));
  return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve({ mock,
    address: `http://127.0.0.1:${server.address().port}`, close: () => { server.closeAllConnections(); server.close(); } })));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { address } = await start(Number(process.argv[2] || 0));
  console.log(address);
}
