// A study opened in the list: its series, and what can be done with it.
import { request, search } from './api.js';
import { formatDate, series as readSeries } from './dicom.js';
import { ask, copy, explain, problem, toast } from './dialog.js';
import { bdi, button, field, h, icon, replace } from './dom.js';
import { t } from './i18n.js';
import { can } from './session.js';

const SERIES_MAX = 500;

export function viewerAddress(uid) {
  return `/viewer/viewer?StudyInstanceUIDs=${encodeURIComponent(uid)}`;
}

function zipAddress(...path) {
  return `/dicomweb/studies/${path.map(encodeURIComponent).join('/series/')}?accept=application/zip`;
}

// No name in it: files lie about in download folders.
function zipName(study) {
  return `${[study.date, study.modalities.join('-'), study.accession].filter(Boolean).join('_')
    .replace(/[^\w.-]+/g, '-') || 'study'}.zip`;
}

export function deleteStudy(study) {
  // What is typed shows that it was read: the patient's ID, where one can type it.
  const proof = /^[\x21-\x7e]{1,24}$/.test(study.id) ? study.id : t('delete_word');
  const { input, element } = field(t('delete_type', { word: proof }), { autocomplete: 'off', spellcheck: 'false', autofocus: true });
  const body = [h('p', t('delete_text')), h('dl', { class: 'facts' },
    h('dt', t('patient')), h('dd', bdi(study.name.main || t('no_name'))),
    h('dt', t('study_date')), h('dd', formatDate(study.date) || t('no_date')),
    h('dt', t('description')), h('dd', bdi(study.description || '–')),
    h('dt', t('images')), h('dd', `${t('n_images', { n: study.instances })}, ${t('n_series', { n: study.series })}`)), element];
  return ask({ title: t('delete_title'), body, confirm: t('delete_for_good'), danger: true,
    ready: (set) => input.addEventListener('input', () => set(input.value.trim().toLowerCase() === proof.toLowerCase())) });
}

export class StudyDetails {
  // on: gone() when the study was deleted, back() to the row
  constructor(study, on) {
    this.study = study;
    this.on = on;
    this.abort = new AbortController();
    this.place = h('div', { class: 'series', 'aria-busy': 'true' }, h('p', { class: 'quiet' }, t('loading')));
    this.element = h('div', { role: 'row', 'aria-level': '2', class: 'details' },
      h('div', { role: 'gridcell' }, this.actions(), this.place));
    this.load();
  }

  focus() {
    this.element.querySelector('a, button')?.focus();
  }

  leave() {
    this.abort.abort();
  }

  actions() {
    const { study } = this;
    const link = `${location.origin}/#/studies?uid=${study.uid}`;
    return h('div', { class: 'actions' },
      can('retrieve') ? [
        h('a', { class: 'button primary', href: viewerAddress(study.uid) }, icon('eye'), h('span', t('open_viewer'))),
        h('a', { class: 'button', href: zipAddress(study.uid), download: zipName(study) }, icon('download'),
          h('span', t('download_zip')))] : null,
      button(t('copy_link'), () => copy(link), { icon: 'link' }),
      can('delete') ? button(t('delete'), () => this.remove(), { icon: 'trash', kind: 'danger-text' }) : null);
  }

  async load() {
    try {
      const path = `/dicomweb/studies/${encodeURIComponent(this.study.uid)}/series`;
      const { rows, remaining } = await search(path, { limit: SERIES_MAX, includefield: '00180015' }, this.abort.signal);
      const list = rows.map(readSeries).sort((a, b) => Number(a.number) - Number(b.number));
      replace(this.place, this.table(list), remaining ? h('p', { class: 'quiet' }, t('more_series', { n: remaining })) : null);
    } catch (e) {
      if (e.name !== 'AbortError') replace(this.place, problem(e, () => this.load()));
    }
    this.place.removeAttribute('aria-busy');
  }

  table(list) {
    const heads = ['series_number', 'modality', 'description', 'body_part', 'images'];
    return h('table', { class: 'plain' }, h('caption', { class: 'hidden' }, t('series')),
      h('thead', h('tr', heads.map((name) => h('th', { scope: 'col', class: name }, t(name))), h('td'))),
      h('tbody', list.map((s) => h('tr', h('td', { class: 'series_number' }, bdi(s.number)),
        h('td', h('span', { class: 'badge' }, s.modality || '–')), h('td', bdi(s.description || '–')),
        h('td', bdi(s.part)), h('td', { class: 'images' }, t('n_images', { n: s.instances })),
        h('td', { class: 'end' }, can('retrieve') ? h('a', { href: zipAddress(this.study.uid, s.uid), download: 'series.zip',
          title: t('download_series'), 'aria-label': t('download_series') }, icon('download')) : null)))));
  }

  async remove() {
    if (!await deleteStudy(this.study)) return;
    try {
      await request(`/dicomweb/studies/${encodeURIComponent(this.study.uid)}`, { method: 'DELETE' });
      toast(t('deleted'));
      this.on.gone();
    } catch (e) {
      toast(explain(e), 'bad');
    }
  }
}
