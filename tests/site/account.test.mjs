// Signing in and out, one's account, administration, in a browser.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Bed, missing } from './browser.mjs';

function inBrowser(name, options, f) {
  test(name, { skip: missing }, async () => {
    const bed = await new Bed().open(options);
    try {
      await f(bed, bed.page);
      assert.deepEqual(bed.complaints, []);
    } finally {
      await bed.close();
    }
  });
}

async function fill(page, user, password = 'first light') {
  await page.fill('input[name=username]', user);
  await page.fill('input[name=password]', password);
  await page.click('button[type=submit]');
}

async function chief(bed, path = '/') {
  await bed.page.goto(bed.address + path);
  await fill(bed.page, 'chief');
  await bed.page.locator('input[name=code]').fill('123 456');
  await bed.page.click('button[type=submit]');
  await bed.page.waitForSelector('#top nav');
}

inBrowser('wrong, too often, and right', {}, async (bed, page) => {
  await page.goto(bed.address);
  await fill(page, 'doctor', 'a guess');
  await page.getByText('User name or password is wrong.').waitFor();
  for (let i = 0; i < 2; i++) {
    await page.click('button[type=submit]');
    await page.waitForTimeout(250);
  }
  await page.click('button[type=submit]');
  await page.getByText(/Too many attempts.*2 seconds/).waitFor();
  assert.ok(await page.locator('button[type=submit]').isDisabled());
  await page.waitForFunction(() => !document.querySelector('button[type=submit]').disabled);
  await fill(page, 'doctor');
  await page.waitForSelector('.study');
});

inBrowser('a second factor', {}, async (bed, page) => {
  const statuses = [];
  page.on('response', (r) => r.url().endsWith('/api/sign-in') && statuses.push(r.status()));
  await page.goto(bed.address);
  await fill(page, 'chief');
  await page.locator('input[name=code]').fill('000000');
  await page.click('button[type=submit]');
  await page.getByText('password or code is wrong').waitFor();
  await page.locator('input[name=code]').fill('123456');
  await page.click('button[type=submit]');
  await page.waitForSelector('.study');
  assert.deepEqual(statuses, [202, 401, 200], 'that a code is needed is no error');
});

inBrowser('two tabs: out of one is out of both, and in likewise', {}, async (bed, page) => {
  await bed.signIn('doctor');
  const other = await bed.context.newPage();
  await other.goto(bed.address);
  await other.waitForSelector('.study');
  await page.locator('#top > button').click();
  await other.waitForSelector('input[name=username]');
  assert.equal(await other.locator('.study').count(), 0, 'no names of patients stay behind');
  await page.waitForSelector('input[name=username]');
  await fill(page, 'doctor');
  await other.waitForSelector('.study');
});

inBrowser('a page that "Back" shows as it was, after the session', {}, async (bed, page) => {
  const shown = () => page.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })));
  await bed.signIn('doctor');
  await page.waitForSelector('.study');
  await shown();
  await page.waitForTimeout(300);
  assert.ok(await page.locator('.study').count(), 'the session is still there');
  bed.set({ end_sessions: true });
  await shown();
  await page.waitForSelector('input[name=username]');
  assert.equal(await page.locator('.study').count(), 0);
});

inBrowser('to the page asked for, when it is one of ours', {}, async (bed, page) => {
  await page.goto(`${bed.address}/?return=${encodeURIComponent('/viewer/viewer?StudyInstanceUIDs=2.25.1')}`);
  await fill(page, 'doctor');
  await page.waitForURL(/\/viewer\/viewer\?StudyInstanceUIDs=2\.25\.1$/);
  for (const elsewhere of ['//evil.example/', 'https://evil.example/', '/\\evil.example', 'javascript:alert(1)', '/\t/evil.example']) {
    bed.set({ end_sessions: true });
    await page.goto(`${bed.address}/?return=${encodeURIComponent(elsewhere)}`);
    await fill(page, 'doctor');
    await page.waitForSelector('.study');
    assert.ok(page.url().startsWith(bed.address), elsewhere);
  }
});

inBrowser('the provider, only when there is one', {}, async (bed, page) => {
  await page.goto(bed.address);
  await page.waitForSelector('form');
  assert.equal(await page.locator('a[href^="/api/oidc"]').count(), 0);
  bed.set({ oidc: true });
  await page.goto(`${bed.address}/?error=oidc#/account`);
  const link = page.getByText('Sign in with Klinikkonto');
  await link.waitFor();
  assert.equal(await link.getAttribute('href'), '/api/oidc/start?return=%2F%23%2Faccount');
  assert.match(await page.innerText('main'), /did not work/);
});

inBrowser('signing out leaves nothing', {}, async (bed, page) => {
  await bed.signIn();
  await page.waitForSelector('.study');
  await page.getByText('Sign out').click();
  await page.waitForSelector('input[name=username]');
  assert.equal(bed.mock.sessions.size, 0);
  assert.equal(await page.locator('.study').count(), 0);
});

inBrowser('language and colours are remembered', {}, async (bed, page) => {
  await page.goto(bed.address);
  await page.waitForSelector('form');
  await page.getByLabel('Language').selectOption('de');
  await page.getByLabel('Farben').selectOption('dark');
  await page.reload();
  await page.getByText('Anmelden').first().waitFor();
  assert.equal(await page.evaluate(() => [document.documentElement.lang, document.documentElement.dataset.theme].join()), 'de,dark');
});

inBrowser('tokens: made, shown once, revoked', {}, async (bed, page) => {
  await bed.signIn('doctor', '/#/account');
  await page.getByText('New token').click();
  const form = page.locator('form', { hasText: 'Create a token' });
  await form.getByLabel('Name').fill('<b>viewer</b>');
  await form.getByLabel('upload').check();
  await form.getByLabel('Password').fill('not this one');
  await form.getByText('Create a token').click();
  await form.getByText('The password is wrong.').waitFor();
  assert.equal(bed.mock.tokens.length, 0);
  await form.getByLabel('Password').fill('first light');
  await form.getByText('Create a token').click();
  assert.match(await page.innerText('.secret'), /^gal_/);
  assert.deepEqual(bed.mock.tokens[0].rights, ['store', 'query', 'retrieve']);
  await page.getByText('Done', { exact: true }).click();
  assert.equal(await page.locator('.secret').count(), 0);
  await page.getByRole('cell', { name: '<b>viewer</b>' }).waitFor();
  await page.getByText('Revoke', { exact: true }).click();
  await page.locator('dialog').getByText('Revoke', { exact: true }).click();
  await page.waitForFunction(() => !document.querySelector('.card.once'));
  await page.waitForTimeout(300);
  assert.equal(bed.mock.tokens.length, 0);
});

inBrowser('a second factor, set up and turned off', {}, async (bed, page) => {
  await bed.signIn('doctor', '/#/account');
  await page.getByText('Set up').click();
  await page.waitForSelector('svg.qr');
  assert.match(await page.innerText('main'), /JBSW Y3DP/);
  const form = page.locator('form', { hasText: 'Confirm' });
  await form.getByLabel('Password').fill('first light');
  await form.getByLabel('Code').fill('999999');
  await form.getByText('Confirm').click();
  await page.waitForSelector('form .wrong');
  await form.getByLabel('Code').fill('123 456');
  await form.getByText('Confirm').click();
  await page.getByText('signing in takes a code').waitFor();
  await page.getByText('Turn it off').click();
  await page.locator('details[open] input[type=password]').fill('first light');
  await page.locator('details[open] input.code').fill('111111');
  await page.getByText('Turn off', { exact: true }).click();
  await page.getByText('the code is wrong or was used before').waitFor();
  await page.locator('details[open] input.code').fill('654321');
  await page.getByText('Turn off', { exact: true }).click();
  await page.getByText('Set up').waitFor();
});

inBrowser('no password of a provider is asked for', {}, async (bed, page) => {
  await bed.signIn('oidc:ann', '/#/account');
  await page.getByText('are changed there').waitFor();
  await page.getByText('this one').waitFor();
  assert.equal(await page.locator('main input').count(), 0);
});

inBrowser('password, sessions', {}, async (bed, page) => {
  await bed.signIn('doctor', '/#/account');
  const form = page.locator('form', { hasText: 'Change the password' });
  const inputs = form.locator('input[type=password]');
  for (const [i, text] of ['first light', 'another long one', 'another short one'].entries()) await inputs.nth(i).fill(text);
  await form.getByRole('button').click();
  await page.getByText('The two new passwords differ.').waitFor();
  await inputs.nth(2).fill('another long one');
  await form.getByRole('button').click();
  await page.getByText('The password was changed').waitFor();
  await page.getByText('this one').waitFor();
});

inBrowser('administration: figures, chart, peers, users', {}, async (bed, page) => {
  await chief(bed, '/#/admin');
  await page.waitForSelector('.chart rect');
  const text = await page.innerText('main');
  for (const wanted of ['184,233', '412 GB', 'mr-sued', 'READING1', 'not encrypted', 'Reader, Administrator'])
    assert.ok(text.includes(wanted), wanted);
});

inBrowser('one page for each right', {}, async (bed, page) => {
  await bed.signIn('admin');
  await page.waitForSelector('.storage');
  assert.deepEqual(await page.locator('#top .nav').allInnerTexts(), ['Administration', 'admin']);
  await page.goto(`${bed.address}/#/__proto__`);
  await page.waitForSelector('.storage');
});

inBrowser('about, without signing in', {}, async (bed, page) => {
  await page.goto(`${bed.address}/#/about`);
  await page.getByText('Galena is no medical device').waitFor();
  assert.equal(await page.locator('a[href="/openapi.json"]').count(), 1);
});
