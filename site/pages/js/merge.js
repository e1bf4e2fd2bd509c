// Several searches as one list, newest first, page by page. Each study appears once.

export function newer(a, b) {
  if (a.date !== b.date) return a.date > b.date;
  return a.time > b.time;
}

class Source {
  constructor(fetchPage, keys) {
    Object.assign(this, { fetchPage, keys, waiting: [], offset: 0, left: Infinity });
  }

  async fill(limit, signal) {
    if (this.waiting.length || this.left === 0) return;
    const { rows, remaining, etag } = await this.fetchPage(this.keys, limit, this.offset, signal);
    if (this.offset === 0) this.first = { limit, etag, n: rows.length, remaining };
    this.offset += rows.length;
    this.left = remaining;
    this.waiting = rows;
  }

  // The first page again, or null: it is as it was. rows is null when only what comes after it has changed.
  async look(signal) {
    const { limit, etag, n, remaining } = this.first;
    const page = await this.fetchPage(this.keys, limit, 0, signal, { known: etag, passive: true });
    const same = page.rows ? n === 0 && page.rows.length === 0 : true;
    return same && page.remaining === remaining ? null : page;
  }

  // Rows of the list that came before where we are, or went, move what is still to be fetched. If more have gone
  // than one knows of, some are fetched twice rather than one never.
  take({ rows, remaining, etag }, moved) {
    const { limit, n } = this.first, before = n + this.first.remaining;
    this.first = { limit, etag, n: rows ? rows.length : n, remaining };
    const total = this.first.n + remaining;
    this.offset = Math.max(0, this.offset + moved + Math.min(0, total - before - moved));
    this.left = Math.max(0, total - this.offset);
  }

  get remaining() {
    return this.waiting.length + (Number.isFinite(this.left) ? this.left : 0);
  }
}

// fetchPage(keys, limit, offset, signal[, {known, passive}]) -> {rows: [{uid, date, time, …}], remaining, etag}
export class Merge {
  constructor(searches, fetchPage) {
    this.sources = searches.map((keys) => new Source(fetchPage, keys));
    this.seen = new Map();
    this.last = null; // that was given out
  }

  async next(count, signal) {
    const page = [];
    while (page.length < count) {
      await Promise.all(this.sources.map((s) => s.fill(count, signal)));
      const best = this.sources.filter((s) => s.waiting.length)
        .reduce((a, b) => (!a || newer(b.waiting[0], a.waiting[0]) ? b : a), null);
      if (!best) break;
      const row = best.waiting.shift();
      if (this.seen.has(row.uid)) continue;
      this.seen.set(row.uid, row);
      this.last = row;
      page.push(row);
    }
    return page;
  }

  // Has anything changed? What take() then makes of it, or null.
  async look(signal) {
    const pages = await Promise.all(this.sources.map((s) => s.look(signal)));
    return pages.some(Boolean) ? pages : null;
  }

  // {fresh, known, gone}: rows that have come and belong where the list has got to, rows that it has, and those
  // of it that are not there any more.
  take(pages) {
    const here = (row) => !this.more || newer(row, this.last);
    const rows = [...new Map(pages.flatMap((p) => p?.rows || []).map((row) => [row.uid, row])).values()];
    const fresh = rows.filter((row) => !this.seen.has(row.uid) && here(row));
    const gone = this.gone(pages);
    this.sources.forEach((s, i) => {
      const own = new Set(pages[i]?.rows?.map((row) => row.uid));
      if (pages[i]) s.take(pages[i], fresh.filter((row) => own.has(row.uid)).length - gone.length);
    });
    for (const row of gone) this.seen.delete(row.uid);
    for (const row of rows) if (this.seen.has(row.uid) || fresh.includes(row)) this.seen.set(row.uid, row);
    return { fresh, known: rows.filter((row) => !fresh.includes(row)), gone };
  }

  // Only one search alone can say that a study is gone: its page has all that is newer than its last row.
  gone(pages) {
    if (pages.length !== 1 || !pages[0].rows) return [];
    const { rows, remaining } = pages[0], there = new Set(rows.map((row) => row.uid));
    return [...this.seen.values()].filter((row) => !there.has(row.uid) && (remaining === 0 || newer(row, rows.at(-1))));
  }

  get more() {
    return this.sources.some((s) => s.remaining > 0 &&
      (s.left > 0 || s.waiting.some((row) => !this.seen.has(row.uid))));
  }

  // How many there are altogether: exact as long as one search alone can still bring any.
  get total() {
    const open = this.sources.filter((s) => s.left > 0 || s.waiting.length);
    const rest = open.map((s) => s.left + s.waiting.filter((row) => !this.seen.has(row.uid)).length);
    return { n: this.seen.size + Math.max(0, ...rest), exact: open.length <= 1 };
  }
}
