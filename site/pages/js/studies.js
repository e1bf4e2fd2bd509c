// The list of studies: what is looked for, and what was found.
//
// The address names the view and, for links, studies; the words searched for are kept in the history's state
// and not in the address: names of patients have no place in what browsers remember and suggest.
import { search } from './api.js';
import { study as readStudy } from './dicom.js';
import { problem } from './dialog.js';
import { h, icon, replace } from './dom.js';
import { Filters } from './filters.js';
import { locale, t } from './i18n.js';
import { Merge } from './merge.js';
import { emptyArchive, nothingFound } from './nothing.js';
import { understand } from './query.js';
import { state } from './session.js';
import { StudyList } from './study_list.js';
import { formatDate } from './dicom.js';
import { arrivals } from './upload.js';
import { Watch } from './watch.js';

const PAGE = 50;
const DEBOUNCE_MS = 150;
const FIELDS = '00081030,00080050,00080090,00080061,00201206,00201208';

let kept = null; // the words of the last visit, while this page lives, and by whom

// Another user of the same browser is not told for whom somebody looked before.
function lastWords() {
  const last = history.state?.search || kept;
  return last?.by === state.me.user ? last : {};
}

async function fetchPage(keys, limit, offset, signal, more) {
  const parameters = { ...keys, limit, offset, includefield: FIELDS };
  const page = await search('/dicomweb/studies', parameters, signal, more);
  return { ...page, rows: page.rows && page.rows.map(readStudy).filter((s) => s.uid) };
}

// One reading of several may be more than the archive takes for that attribute: the others stand.
function forgiving(several) {
  return async (...args) => {
    try {
      return await fetchPage(...args);
    } catch (e) {
      if (several && e.kind === 'refused') return { rows: [], remaining: 0 };
      throw e;
    }
  };
}

class Studies {
  constructor(parameters) {
    this.uids = (parameters.get('uid') || '').split(',').filter((u) => /^[0-9.]{1,64}$/.test(u));
    this.filters = new Filters(lastWords(), () => this.changed());
    this.list = new StudyList({ more: () => this.more(), leave: () => this.input.focus(),
      deleted: () => this.count() });
    this.input = this.searchBox();
    this.status = h('p', { class: 'count', role: 'status' });
    this.below = h('div', { class: 'below' });
    this.end = h('div', { class: 'end' });
    this.element = this.build();
    this.observer = new IntersectionObserver((seen) => seen[0].isIntersecting && this.more(), { rootMargin: '600px' });
    this.observer.observe(this.end);
    this.fresh = 0; // how many have come since the search
    this.watch = new Watch(() => this.look());
    this.arrived = () => this.watch.now();
    arrivals.addEventListener('stored', this.arrived);
    this.load();
  }

  searchBox() {
    return h('input', { id: 'search', type: 'search', autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false',
      dir: 'auto', placeholder: t('search_hint'), 'aria-label': t('search'), 'aria-keyshortcuts': '/',
      enterkeyhint: 'search', value: this.filters.text, oninput: () => this.typed(), onkeydown: (e) => this.key(e) });
  }

  build() {
    const box = h('div', { class: 'search' }, icon('search'), this.input, h('kbd', { 'aria-hidden': 'true' }, '/'));
    return h('section', { 'aria-label': t('studies') },
      h('h1', { class: 'hidden' }, t('studies')),
      h('search', { role: 'search' }, box, this.uids.length ? this.onlyThese() : this.filters.element),
      this.status, this.list.element, this.below, this.end);
  }

  onlyThese() {
    return h('p', { class: 'note' }, t('linked', { n: this.uids.length }), ' ',
      h('a', { href: '#/studies' }, t('show_all')));
  }

  key(e) {
    if (e.key === 'Escape' && this.input.value) {
      e.preventDefault();
      this.input.value = '';
      this.typed();
    } else if (e.key === 'ArrowDown' || (e.key === 'Enter' && !this.loading)) {
      if (this.list.focusFirst()) e.preventDefault();
    }
  }

  typed() {
    this.filters.text = this.input.value;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.changed(), DEBOUNCE_MS);
  }

  changed() {
    kept = { ...this.filters.state(), by: state.me?.user };
    history.replaceState({ ...history.state, search: kept }, '');
    this.load();
  }

  // --- what was found

  plan() {
    const monthFirst = /^en-US$/i.test(locale());
    return understand(this.filters.text, { ...this.filters.keys(), uids: this.uids }, { monthFirst });
  }

  async load(byItself = false) {
    let passive = byItself; // only this page of it
    this.abort?.abort();
    this.abort = new AbortController();
    const { searches, parts } = this.plan();
    this.parts = parts;
    this.fresh = 0;
    const fetch = forgiving(searches.length > 1);
    this.merge = new Merge(searches, (keys, limit, offset, signal, how) =>
      fetch(keys, limit, offset, signal, { passive, ...how }));
    const slow = setTimeout(() => this.slow(), 250);
    await this.page(true);
    passive = false;
    clearTimeout(slow);
  }

  // A list that is still empty has nothing to turn grey.
  slow() {
    this.list.setBusy(true);
    if (this.list.items.length === 0) replace(this.status, t('loading'));
  }

  async page(first) {
    const { signal } = this.abort;
    this.loading = true;
    try {
      const rows = await this.merge.next(PAGE, signal);
      if (signal.aborted) return;
      if (first) this.list.clear();
      this.list.add(rows);
      this.shown(first, rows.length);
    } catch (e) {
      if (e.name !== 'AbortError' && !signal.aborted) this.failed(e, first);
    }
    if (!signal.aborted) {
      this.loading = false;
      this.list.setBusy(false);
    }
  }

  async more() {
    if (this.loading || !this.merge?.more || this.stopped) return;
    await this.page(false);
  }

  shown(first, n) {
    this.stopped = false;
    replace(this.below, first && n === 0 ? this.nothing() :
      this.merge.more ? h('p', { class: 'more' }, h('button', { type: 'button', class: 'button',
        onclick: () => this.more() }, t('load_more'))) : null);
    this.count();
    if (first && n === 1 && this.uids.length === 1) this.list.open(0);
  }

  nothing() {
    if (this.uids.length) return nothingFound(t('linked_nothing'));
    if (this.filters.isEmpty()) return emptyArchive();
    return nothingFound(t('nothing_hint'), () => this.clear());
  }

  clear() {
    this.filters.reset();
    this.input.value = '';
    this.input.focus();
    this.changed();
  }

  count() {
    const { n, exact } = this.merge.total;
    const words = [n === 0 && this.filters.isEmpty() ? '' : t(exact ? 'found' : 'found_at_least', { n })];
    const { date, modalities } = this.parts;
    if (date) words.push(t('read_as_date', { date: this.dateText(date) }));
    if (modalities.length) words.push(modalities.join(', '));
    if (this.fresh) words.push(t('n_new', { n: this.fresh }));
    const text = words.filter(Boolean).join(' · '); // the same again would be read out again
    if (this.status.textContent !== text) replace(this.status, text);
  }

  dateText({ from, to }) {
    return from === to ? formatDate(from) : `${formatDate(from) || '…'} – ${formatDate(to) || '…'}`;
  }

  failed(e, first) {
    this.stopped = true;
    if (e.kind === 'sign_in') return;
    if (first) this.list.clear();
    replace(this.status);
    replace(this.below, problem(e, () => (first ? this.load() : this.again())));
  }

  again() {
    this.stopped = false;
    replace(this.below);
    this.more();
  }

  // Has anything come, changed or gone? Resolves to false when it has, but a hand is on the list.
  async look() {
    if (this.loading || this.stopped) return true;
    try {
      const { merge } = this, pages = await merge.look(this.abort.signal);
      if (!pages || merge !== this.merge || this.loading) return true;
      if (this.list.inHand()) return false;
      await this.take(merge.take(pages));
    } catch (e) {
      if (e.name !== 'AbortError') throw e;
    }
    return true;
  }

  async take(change) {
    const empty = this.list.items.length === 0;
    if (!empty) this.list.update(change);
    if (empty || this.list.items.length === 0) await this.load(true);
    this.fresh += empty ? this.list.items.length : change.fresh.length;
    if (this.list.items.length) this.shown(false, 0);
  }

  leave() {
    this.abort?.abort();
    this.observer.disconnect();
    clearTimeout(this.timer);
    this.watch.end();
    arrivals.removeEventListener('stored', this.arrived);
  }
}

export function studiesView(parameters) {
  const page = new Studies(parameters);
  return { element: page.element, title: t('studies'), leave: () => page.leave() };
}
