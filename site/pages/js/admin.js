// For administrators: how the archive is, what came in today, who may come.
import { json } from './api.js';
import { problem } from './dialog.js';
import { bdi, h, replace } from './dom.js';
import { arrivalsChart, storageBar } from './charts.js';
import { bytes, number, t } from './i18n.js';

const REFRESH_MS = 30000;

// What GET path answers, drawn by draw(); `every`: again from time to time.
class Part {
  constructor(title, path, draw, every) {
    Object.assign(this, { path, draw });
    this.place = h('div', { class: 'scroll', tabindex: '0' }, h('p', { class: 'quiet' }, t('loading')));
    this.element = h('section', { class: 'card', 'aria-label': title }, h('h2', title), this.place);
    if (every) this.timer = setInterval(() => document.visibilityState === 'visible' && this.load(), every);
    this.load();
  }

  async load() {
    try {
      const found = await json(this.path);
      replace(this.place, this.draw(found));
    } catch (e) {
      replace(this.place, problem(e, () => this.load()));
    }
  }

  leave() {
    clearInterval(this.timer);
  }
}

function figure(label, value) {
  return h('div', { class: 'figure' }, h('dt', label), h('dd', value));
}

function status(s) {
  const counts = ['patients', 'studies', 'series', 'instances'].filter((name) => name in s);
  const service = ['connections', 'connections_web', 'stored', 'queries', 'retrieved', 'refused', 'failed_syncs'].filter((name) => name in s);
  return [
    s.full ? h('p', { class: 'wrong', role: 'alert' }, t('storage_full')) : null,
    storageBar(s, bytes),
    h('dl', { class: 'figures-grid' }, counts.map((name) => figure(t(`count_${name}`), number(s[name])))),
    h('h3', t('since_start')),
    h('dl', { class: 'figures-grid small' }, service.map((name) => figure(t(`count_${name}`), number(s[name]))))];
}

function table(heads, rows) {
  if (rows.length === 0) return h('p', { class: 'quiet' }, t('none_yet'));
  return h('table', { class: 'plain cards' }, h('thead', h('tr', heads.map((head) => h('th', { scope: 'col' }, t(head))))),
    h('tbody', rows.map((row) => h('tr', row.map((c, i) => h('td', { data: { head: t(heads[i]) } }, h('div', c)))))));
}

const list = (words, prefix) => words.map((w) => t(prefix + w)).join(', ') || '–';
const collections = (names) => (names?.length ? names.map((n, i) => [i ? ', ' : '', bdi(n)]) : t('everything'));

function peers(all) {
  return table(['peer', 'ae_title', 'may', 'lane', 'address', 'collections'], all.map((p) => [
    bdi(p.name), bdi(p.ae_title), list(p.can, 'right_'),
    p.lane.split(',').filter(Boolean).map((lane) => h('span', { class: `badge ${lane}` }, t(`lane_${lane}`))),
    bdi(p.address || '–'), collections(p.collections)]));
}

function users(all) {
  return table(['user', 'roles', 'collections', 'second_factor'], all.map((u) => [
    bdi(u.name), list(u.roles, 'role_'), [collections(u.collections), u.physician ? [' · ', bdi(u.physician)] : null],
    u.second_factor ? t('yes') : h('span', { class: 'badge plain' }, t('no'))]));
}

export function adminView() {
  const parts = [
    new Part(t('archive'), '/api/admin/status', status, REFRESH_MS),
    new Part(t('today'), '/api/admin/today', arrivalsChart, REFRESH_MS),
    new Part(t('peers'), '/api/admin/peers', peers),
    new Part(t('users'), '/api/admin/users', users)];
  return { title: t('administration'), leave: () => parts.forEach((p) => p.leave()),
    element: h('div', { class: 'wide' }, h('h1', t('administration')), parts.map((p) => p.element),
      h('p', { class: 'quiet' }, t('admin_hint'))) };
}
