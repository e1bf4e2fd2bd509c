// The two pictures of the administration page. Each says in words or figures what it shows.
import { bdi, h, svg } from './dom.js';
import { locale, number, t } from './i18n.js';

// Used by the archive, free to be used, kept in reserve.
export function storageBar(s, bytes) {
  const reserve = Math.min(s.reserve_bytes || 0, s.free_bytes || 0);
  const parts = [['used', s.store_bytes || 0], ['free', (s.free_bytes || 0) - reserve], ['reserve', reserve]];
  const all = parts.reduce((n, [, size]) => n + size, 0) || 1;
  let x = 0;
  const bars = parts.map(([name, size]) => {
    const width = (size / all) * 1000, at = x;
    x += width;
    return svg('rect', { class: `part ${name}`, x: at, y: 0, width, height: 20 });
  });
  return h('figure', { class: 'storage' },
    svg('svg', { viewBox: '0 0 1000 20', preserveAspectRatio: 'none', 'aria-hidden': 'true' }, bars),
    h('figcaption', parts.map(([name, size]) => h('span', { class: 'key' }, h('i', { class: name }), `${t(`storage_${name}`)}: `,
      h('strong', bytes(size))))));
}

// --- what came in: rows {hour (seconds since 1970, or 0 to 23), peer, modality, studies, instances}

const HOURS = 24, SHADES = 6;

function hourOf(row, now) {
  if (row.hour > 23) return row.hour;
  const at = new Date(now);
  at.setHours(row.hour, 0, 0, 0);
  return Math.floor(at / 1000);
}

function gather(rows, now) {
  const last = Math.floor(now / 3600000) * 3600, hours = Array.from({ length: HOURS }, (_, i) => last - (HOURS - 1 - i) * 3600);
  const peers = new Map();
  for (const row of rows) {
    const peer = peers.get(row.peer) || { name: row.peer, studies: 0, instances: 0, modalities: new Set(), by: new Map() };
    const hour = hourOf(row, now);
    peer.studies += row.studies || 0;
    peer.instances += row.instances || 0;
    if (row.modality) peer.modalities.add(row.modality);
    peer.by.set(hour, (peer.by.get(hour) || 0) + (row.instances || 0));
    peers.set(row.peer, peer);
  }
  return { hours, peers: [...peers.values()].sort((a, b) => b.instances - a.instances) };
}

// 2, 2.5, 5 or 10 times a power of ten, at least n.
function round(n) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, n)));
  return [2, 2.5, 5, 10].map((f) => f * power).find((v) => v >= n);
}

const clock = (hour) => new Intl.DateTimeFormat(locale(), { hour: '2-digit', minute: '2-digit' }).format(hour * 1000);

function column(hour, i, peers, scale) {
  let y = 160, sum = 0;
  const words = [clock(hour)];
  const bars = peers.map((peer, p) => {
    const n = peer.by.get(hour) || 0;
    if (n === 0) return null;
    const height = (n / scale) * 140;
    y -= height;
    sum += n;
    words.push(`${peer.name}: ${number(n)}`);
    return svg('rect', { class: `shade s${p % SHADES}`, x: 50 + i * 30, y, width: 22, height });
  });
  return svg('g', {}, sum ? svg('title', {}, words.join('\n')) : null, bars,
    i % 3 === 2 ? svg('text', { class: 'axis', x: 61 + i * 30, y: 178, 'text-anchor': 'middle' }, clock(hour)) : null);
}

export function arrivalsChart(rows, now = Date.now()) {
  const { hours, peers } = gather(rows, now);
  if (peers.length === 0) return h('p', { class: 'quiet' }, t('nothing_today'));
  const most = Math.max(...hours.map((hour) => peers.reduce((n, p) => n + (p.by.get(hour) || 0), 0)));
  const scale = round(most);
  const lines = [0, 0.5, 1].map((part) => [
    svg('line', { class: 'grid', x1: 46, x2: 770, y1: 160 - part * 140, y2: 160 - part * 140 }),
    svg('text', { class: 'axis', x: 40, y: 164 - part * 140, 'text-anchor': 'end' }, number(scale * part))]);
  return [
    h('figure', { class: 'chart' }, svg('svg', { viewBox: '0 0 780 186', role: 'img', 'aria-label': t('chart_label') },
      lines, hours.map((hour, i) => column(hour, i, peers, scale)))),
    h('table', { class: 'plain cards' }, h('thead', h('tr', ['peer', 'modality', 'count_studies', 'images'].map((head) =>
      h('th', { scope: 'col' }, t(head))))),
    h('tbody', peers.map((peer, p) => h('tr',
      h('td', { data: { head: t('peer') } }, h('div', h('i', { class: `swatch s${p % SHADES}` }), bdi(peer.name || '–'))),
      h('td', { data: { head: t('modality') } }, [...peer.modalities].join(', ') || '–'),
      h('td', { data: { head: t('count_studies') } }, number(peer.studies)),
      h('td', { data: { head: t('images') } }, number(peer.instances))))))];
}
