// A browser and a mock archive for one test file. Without chromium or playwright-core the tests are skipped.
import { existsSync } from 'node:fs';
import { after } from 'node:test';
import { start } from './mock_server.mjs';

const CHROMIUM = process.env.GALENA_CHROMIUM || '/usr/bin/chromium';
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];

async function driver() {
  try {
    return (await import('playwright-core')).chromium;
  } catch {
    return null;
  }
}

const chromium = await driver();
export const missing = !chromium ? 'playwright-core is not there (tools/get_node.sh)' :
  !existsSync(CHROMIUM) ? 'chromium is not there' : false;

// One browser for all tests of a file; what a page may keep is each test's own.
let browser = null;
after(() => browser?.close());

export class Bed {
  // options: locale, colorScheme, viewport, reducedMotion as playwright has them
  async open(options = {}) {
    this.server = await start();
    this.address = this.server.address;
    this.mock = this.server.mock;
    browser ??= await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
    this.context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1280, height: 860 },
      timezoneId: Intl.DateTimeFormat().resolvedOptions().timeZone, ...options });
    this.page = await this.context.newPage();
    this.page.setDefaultTimeout(30000);
    this.complaints = [];
    this.page.on('pageerror', (e) => this.complaints.push(String(e)));
    this.page.on('console', (m) => m.type() === 'error' && !/status of (4|5)\d\d|ERR_/.test(m.text()) && this.complaints.push(m.text()));
    return this;
  }

  async close() {
    await this.context.close();
    this.server.close();
  }

  set(change) {
    this.mock.set(change);
  }

  async signIn(user = 'doctor', path = '/') {
    await this.page.goto(this.address + path);
    await this.page.fill('input[name=username]', user);
    await this.page.fill('input[name=password]', 'first light');
    await this.page.click('button[type=submit]');
    await this.page.waitForSelector('#top nav');
  }

  rows() {
    return this.page.locator('.study > .row');
  }
}

// A little DICOM file: preamble, meta, and some attributes.
export function dicomFile({ instance, study = '2.25.77', name = 'Uploaded^Just', refuse = false, size = 0 }) {
  const element = (group, number, vr, text) => {
    const value = Buffer.from(text.length % 2 ? `${text}${vr === 'UI' ? '\0' : ' '}` : text);
    const head = Buffer.alloc(8);
    head.writeUInt16LE(group, 0);
    head.writeUInt16LE(number, 2);
    head.write(vr, 4);
    head.writeUInt16LE(value.length, 6);
    return Buffer.concat([head, value]);
  };
  return Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), element(2, 2, 'UI', '1.2.840.10008.5.1.4.1.1.7'),
    element(2, 3, 'UI', instance), element(2, 0x10, 'UI', '1.2.840.10008.1.2.1'), element(8, 0x1030, 'LO', refuse ? 'REFUSE ME' : 'fine'),
    element(0x10, 0x10, 'PN', name), element(0x20, 0x0d, 'UI', study), Buffer.alloc(size)]);
}
