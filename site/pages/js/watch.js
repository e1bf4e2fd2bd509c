// Asks now and then whether what is shown is still so. Not while nobody can see it, seldom of an archive that is
// slow, and ever more seldom of one that does not answer.
const EVERY_MS = 10000, SOON_MS = 3000, MOST_MS = 300000;
const SHARE = 20; // of the time at most a twentieth is spent on asking

export class Watch {
  // ask() resolves to false when it came at a bad moment
  constructor(ask) {
    Object.assign(this, { ask, failed: 0, asking: false, over: false });
    this.seen = () => this.now();
    document.addEventListener('visibilitychange', this.seen);
    this.wait(EVERY_MS);
  }

  wait(ms) {
    clearTimeout(this.timer);
    if (!this.over && document.visibilityState === 'visible') this.timer = setTimeout(() => this.now(), ms);
  }

  async now() {
    if (this.over || this.asking || document.visibilityState !== 'visible') return;
    this.asking = true;
    const began = performance.now();
    let good = true;
    try {
      good = await this.ask();
      this.failed = 0;
    } catch {
      this.failed++;
    }
    this.asking = false;
    const pause = Math.max(EVERY_MS * 2 ** this.failed, SHARE * (performance.now() - began));
    this.wait(good ? Math.min(pause, MOST_MS) : SOON_MS);
  }

  end() {
    this.over = true;
    clearTimeout(this.timer);
    document.removeEventListener('visibilitychange', this.seen);
  }
}
