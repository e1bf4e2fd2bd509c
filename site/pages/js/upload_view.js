// The upload page: where files are dropped, how far they are, what failed and why.
import { search } from './api.js';
import { study as readStudy } from './dicom.js';
import { bdi, button, h, icon, replace } from './dom.js';
import { take } from './drop.js';
import { fromPicker } from './files.js';
import { bytes, duration, number, t } from './i18n.js';
import { can } from './session.js';
import { StudyList } from './study_list.js';
import { arrivals, upload } from './upload.js';

const SHOWN_MAX = 200, LINKED_MAX = 60;

class Uploads {
  constructor() {
    this.bar = h('progress', { max: 1, value: 0, 'aria-label': t('upload') });
    this.headline = h('h2', { role: 'status' });
    this.figures = h('p', { class: 'figures' });
    this.actions = h('div', { class: 'actions' });
    this.card = h('div', { class: 'card progress', hidden: true }, this.headline, this.bar, this.figures, this.actions);
    this.failures = h('div');
    this.skipped = h('div');
    this.arrived = h('div');
    this.element = h('section', { class: 'narrow' }, h('h1', t('upload')), this.pickers(), this.card, this.failures,
      this.skipped, this.arrived);
    this.redraw = () => this.draw();
    this.relist = () => this.listStudies();
    upload.addEventListener('change', this.redraw);
    arrivals.addEventListener('stored', this.relist);
    this.ticks = setInterval(() => upload.active && this.draw(), 500);
    this.draw();
    if (upload.studies.size) this.listStudies();
  }

  leave() {
    clearInterval(this.ticks);
    upload.removeEventListener('change', this.redraw);
    arrivals.removeEventListener('stored', this.relist);
  }

  picker(label, folder) {
    const input = h('input', { type: 'file', multiple: true, class: 'hidden', tabindex: '-1', 'aria-hidden': 'true',
      webkitdirectory: folder, onchange: () => {
        take(fromPicker([...input.files]));
        input.value = '';
      } });
    return [input, button(label, () => input.click(), { icon: folder ? 'folder' : 'file', kind: folder ? '' : 'primary' })];
  }

  pickers() {
    return h('div', { class: 'drop' }, icon('upload'), h('p', { class: 'lead' }, t('drop_lead')),
      h('p', { class: 'quiet' }, t('drop_text')),
      h('div', { class: 'actions' }, this.picker(t('choose_files'), false), this.picker(t('choose_folder'), true)));
  }

  // --- progress

  draw() {
    this.card.hidden = !upload.begun;
    if (!upload.begun) {
      replace(this.failures);
      replace(this.skipped);
      return;
    }
    const progress = upload.progress();
    const headline = this.title();
    if (this.headline.textContent !== headline) this.headline.textContent = headline;
    this.card.classList.toggle('done', !upload.active);
    this.bar.hidden = !upload.files;
    this.bar.value = upload.active ? progress.share : 1;
    this.figures.textContent = this.words(progress);
    this.drawActions();
    this.drawFailures();
    this.drawSkipped();
  }

  title() {
    if (upload.paused) return t(`paused_${upload.paused}`);
    if (upload.active) return upload.files ? t('sending') : t('looking');
    if (upload.failed.length) return t('done_failed', { n: upload.failed.length, stored: upload.storedFiles });
    if (upload.storedFiles) return t('done_stored', { n: upload.storedFiles });
    return upload.cancelled ? t('done_cancelled') : t('done_nothing');
  }

  words({ sent, rate, filesRate, left_s }) {
    const parts = [t('files_of', { done: upload.storedFiles, all: upload.files }),
      t('bytes_of', { done: bytes(sent), all: bytes(upload.bytes) })];
    if (upload.active && rate) {
      parts.push(t('rate', { rate: bytes(rate), files: number(filesRate, { maximumFractionDigits: filesRate < 10 ? 1 : 0 }) }));
      if (!upload.scanning && left_s > 1) parts.push(t('left', { time: duration(left_s) }));
    }
    if (upload.cancelled) parts.push(t('n_cancelled', { n: upload.cancelled }));
    return upload.files || upload.cancelled ? parts.join(' · ') : '';
  }

  studiesAddress() {
    const uids = [...upload.studies];
    return uids.length > LINKED_MAX ? '#/studies' : `#/studies?uid=${uids.join(',')}`;
  }

  // Drawn anew only when other buttons are wanted: a button must not vanish under the finger.
  drawActions() {
    const wanted = [upload.active, upload.failed.length > 0, upload.studies.size].join();
    if (wanted === this.wanted) return;
    this.wanted = wanted;
    replace(this.actions,
      upload.active ? button(t('cancel'), () => upload.cancel(), { icon: 'close' }) : null,
      !upload.active && upload.studies.size && can('query') ? h('a', { class: 'button primary', href: this.studiesAddress() },
        t('show_studies', { n: upload.studies.size })) : null,
      !upload.active && upload.failed.length ? button(t('retry_failed'), () => upload.retry()) : null,
      !upload.active ? button(t('clear'), () => this.clear(), { kind: 'quiet' }) : null);
  }

  clear() {
    upload.clearAll();
    replace(this.arrived);
    this.list = null;
    this.draw();
  }

  files(list, reason) {
    return [h('ul', { class: 'files' }, list.slice(0, SHOWN_MAX).map((item) =>
      h('li', bdi(item.path, { class: 'path' }), h('span', { class: 'why' }, reason(item))))),
    list.length > SHOWN_MAX ? h('p', { class: 'quiet' }, t('and_more', { n: list.length - SHOWN_MAX })) : null];
  }

  drawFailures() {
    const { failed } = upload;
    if (this.failuresShown === failed.length) return;
    this.failuresShown = failed.length;
    replace(this.failures, failed.length ? h('div', { class: 'card bad' }, h('h2', t('not_stored', { n: failed.length })),
      this.files(failed, (item) => t(item.why))) : null);
  }

  drawSkipped() {
    const { skipped } = upload;
    if (this.skippedShown === skipped.length) return;
    const open = this.skipped.querySelector('details')?.open;
    this.skippedShown = skipped.length;
    replace(this.skipped, skipped.length ? h('details', { class: 'card', open }, h('summary', t('skipped', { n: skipped.length })),
      this.files(skipped, (item) => t(`skipped_${item.why}`))) : null);
  }

  // --- what has arrived

  async listStudies() {
    if (!can('query') || this.list?.inUse()) return;
    const uids = [...upload.studies].slice(-LINKED_MAX);
    try {
      const { rows } = await search('/dicomweb/studies', { StudyInstanceUID: uids.join(','), limit: LINKED_MAX,
        includefield: '00081030,00080090,00080061' });
      if (!this.element.isConnected || this.list?.inUse() || !upload.studies.size) return;
      if (!this.list) {
        this.list = new StudyList({ more() {}, leave() {}, deleted() {} });
        replace(this.arrived, h('h2', t('arrived')), this.list.element);
      }
      this.list.clear();
      this.list.add(rows.map(readStudy));
    } catch { /* the next arrival tries again */ }
  }
}

export function uploadView() {
  const page = new Uploads();
  return { element: page.element, title: t('upload'), leave: () => page.leave() };
}
