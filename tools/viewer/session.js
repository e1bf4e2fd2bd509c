// The viewer and the session. Reading images takes no requests: whoever moves the mouse is still there, and the
// archive hears of it; whoever does not for as long as a session may idle leaves no images on the screen. Signing
// out in another tab ends this one, too (site/pages/js/session.js).
(() => {
  const SEEN = "galena.seen", PING_MS = 60000, LOOK_MS = 5000;
  let idle_ms = Infinity, moved_ms = 0, asked_ms = 0;

  const seen = () => Number(localStorage.getItem(SEEN)) || 0;

  function leave(back) {
    location.replace(back ? "/?return=" + encodeURIComponent(location.pathname + location.search) : "/");
  }

  async function ping() {
    asked_ms = Date.now();
    const answer = await fetch("/api/me", { headers: { Accept: "application/json" } }).catch(() => null);
    if (answer?.status === 401) leave(true);
    if (!answer?.ok) return; // the archive is not there just now
    idle_ms = (await answer.json()).expires_s * 1000;
    localStorage.setItem(SEEN, String(Date.now()));
  }

  function look() {
    if (moved_ms > asked_ms && Date.now() - asked_ms > PING_MS) ping();
    else if (Date.now() - Math.max(asked_ms, seen()) > idle_ms) leave(true);
  }

  for (const event of ["pointermove", "pointerdown", "keydown", "wheel"])
    addEventListener(event, () => { moved_ms = Date.now(); }, { capture: true, passive: true });
  new BroadcastChannel("galena").onmessage = (e) => e.data === "out" && leave(false);
  setInterval(look, LOOK_MS);
  ping();
})();
