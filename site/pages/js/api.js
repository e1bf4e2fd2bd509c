// Requests to the archive, and what can go wrong with them.

export class ApiError extends Error {
  // kind: offline, sign_in, forbidden, missing, wait, refused (our fault), server
  constructor(kind, { status = 0, code = '', message = '', wait_s = 0 } = {}) {
    super(message || kind);
    Object.assign(this, { kind, status, code, detail: message, wait_s });
  }
}

// 'signed-out' when the archive no longer knows us, 'used' whenever it answered us.
export const events = new EventTarget();

function kindOf(status) {
  if (status === 401) return 'sign_in';
  if (status === 403) return 'forbidden';
  if (status === 404) return 'missing';
  if (status === 429) return 'wait';
  return status >= 500 ? 'server' : 'refused';
}

async function failure(response) {
  let body = {};
  try { body = await response.json(); } catch { /* no JSON: the status says enough */ }
  const wait_s = Number(body.wait_s) || Number(response.headers.get('Retry-After')) || 0;
  return new ApiError(kindOf(response.status),
    { status: response.status, code: body.error, message: body.message, wait_s });
}

// Resolves to the response when it is a good one. An aborted request rejects as fetch does.
// quiet: nobody hears of it; passive: the page asks by itself, which is no use of the session (docs/web-api.md).
export async function request(path, { method = 'GET', json, headers = {}, signal, quiet = false, passive = false } = {}) {
  if (passive) headers = { ...headers, 'Galena-Passive': '1' };
  const init = { method, signal, credentials: 'same-origin', headers: { Accept: 'application/json', ...headers } };
  if (json !== undefined) {
    init.body = JSON.stringify(json);
    init.headers['Content-Type'] = 'application/json';
  }
  let response;
  try {
    response = await fetch(path, init);
  } catch (e) {
    if (e.name === 'AbortError') throw e;
    throw new ApiError('offline');
  }
  if (response.ok || response.status === 304) {
    if (!quiet && !passive) events.dispatchEvent(new Event('used'));
    return response;
  }
  const error = await failure(response);
  if (error.kind === 'sign_in' && !quiet) events.dispatchEvent(new Event('signed-out'));
  throw error;
}

export async function json(path, options) {
  const response = await request(path, options);
  return response.status === 204 ? null : response.json();
}

export function send(method, path, body) {
  return json(path, { method, json: body });
}

// One page of a search: {rows, remaining, etag}; remaining as Warning 299 says (PS3.18 8.3.4.4). rows is null when
// they are the known ones, those with the ETag `known`.
export async function search(path, parameters, signal, { known, passive } = {}) {
  const query = new URLSearchParams(parameters);
  const headers = { Accept: 'application/dicom+json', ...(known ? { 'If-None-Match': known } : {}) };
  const response = await request(`${path}?${query}`, { signal, headers, passive });
  const rows = response.status === 304 ? null : response.status === 204 ? [] : await response.json();
  return { rows, remaining: remaining(response.headers.get('Warning')), etag: response.headers.get('ETag') };
}

export function remaining(warning) {
  const m = /\b299\b.*?(\d+)\s+additional/i.exec(warning || '');
  return m ? Number(m[1]) : 0;
}
