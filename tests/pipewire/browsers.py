# SPDX-License-Identifier: LGPL-2.1-or-later
"""Browsers, for apps.py: a page at this machine's own address wants the microphone, or the camera, again and again until it has it, and
says what it gets. The browser's own question is answered by an option of it; the portal's and Callgate's are not."""
import http.server
import os
import shutil
import signal
import subprocess
import threading
import time

from desktop import *  # noqa: F403

PAGE = """<!doctype html><meta charset=utf-8><title>capture</title><video autoplay muted playsinline></video><script>
const wanted = WANTED;
const say = text => fetch('/say', {method: 'POST', body: text}).catch(() => {});
async function want() {
  let stream;
  say('asks');
  try {
    stream = await navigator.mediaDevices.getUserMedia(wanted);
  } catch (error) {
    say('refused ' + error.name);
    return setTimeout(want, 300);
  }
  say('has');
  const video = document.querySelector('video');
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
  let sounding = 0, context, last;
  if (wanted.audio) {
    context = new AudioContext();
    const node = context.createScriptProcessor(1024, 1, 1);
    node.onaudioprocess = event => {
      if (event.inputBuffer.getChannelData(0).some(sample => sample !== 0)) sounding++;
    };
    context.createMediaStreamSource(stream).connect(node);
    node.connect(context.destination);
  } else
    video.srcObject = stream;
  const timer = setInterval(() => {
    if (!wanted.audio) {
      canvas.drawImage(video, 0, 0, 1, 1);
      const now = String(canvas.getImageData(0, 0, 1, 1).data);
      // Each picture of the camera is of another grey. Before the first there is nothing to draw.
      if (last !== undefined && now !== last) sounding++;
      last = now;
    }
    say('heard ' + sounding);
  }, 100);
  const again = why => {
    say(why);
    navigator.mediaDevices.ondevicechange = null;
    stream.getTracks()[0].stop();
    clearInterval(timer);
    if (context) context.close();
    setTimeout(want, 300);
  };
  stream.getTracks()[0].onended = () => again('ended');
  // What Firefox has where there is no microphone is the monitor of a sink.
  navigator.mediaDevices.ondevicechange = () => sounding || again('others');
}
want();
</script>"""
PREFERENCES = """
user_pref("media.navigator.permission.disabled", true);
user_pref("media.autoplay.default", 0);
user_pref("media.autoplay.blocking_policy", 0);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("toolkit.telemetry.reportingpolicy.firstRun", false);
user_pref("app.update.enabled", false);
user_pref("media.webrtc.camera.allow-pipewire", true);
"""


class Page:
    """What a browser says. @wanted: "audio" or "video"."""

    def __init__(self, wanted="audio"):
        page = self
        self.said, self.heard, self.at = [], 0, 0.0

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(PAGE.replace("WANTED", f"{{{wanted}: true}}").encode())

            def do_POST(self):
                text = self.rfile.read(int(self.headers["Content-Length"])).decode()
                if text.startswith("heard "):
                    count = int(text[6:])
                    if count != page.heard and count:
                        page.at = time.monotonic()
                    page.heard = count
                else:
                    page.said.append(text)
                    page.heard = 0
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://localhost:{self.server.server_port}/"

    def sounds(self, since):
        """Sound came after that moment."""
        return self.at > since and self.at


def chromium(home, address):
    return ("chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={home}",
            "--use-fake-ui-for-media-stream", "--autoplay-policy=no-user-gesture-required", "--disable-dev-shm-usage",
            "--enable-features=WebRtcPipeWireCamera", address)


def firefox(home, address):
    os.makedirs(home, exist_ok=True)
    with open(home + "/user.js", "w", encoding="ascii") as file:
        file.write(PREFERENCES)
    return ("firefox-esr", "--headless", "--no-remote", "--profile", home, address)


# How long each may take to capture again, in seconds.
BROWSERS = (("Chromium", chromium, 1), ("Firefox", firefox, 1))


def stops(page, what):
    """Silent in the end. What a browser has taken and not given to its page yet, it gives: seconds of it on a busy machine, just after it began."""
    begun = time.monotonic()
    good = wait_for(lambda: time.monotonic() - max(page.at, begun) > 3, 15)
    ok(good, f"{what} ({max(0, page.at - begun):.1f} s later)", page.heard)


def browse(alice, bob, desktop):
    """Asked outside and in a call: refused, allowed, stopped, and allowed again without being started or loaded again."""
    for name, command, limit in BROWSERS:
        page = Page()
        home, words = prepare_browser(name, command, page)
        desktop.begin(name, *words)
        ok(wait_for(lambda: page.said, 120), f"{name} comes and asks for the microphone", desktop.log(name))
        time.sleep(8)
        ok(page.at == 0, f"outside a call {name} hears nothing ({', '.join(sorted(set(page.said)))})", page.said)
        desktop.end(name)
        page = Page()
        # A block of all that a call asked for would end it.
        talk = Talk(alice, bob, desktop, MICROPHONE | CAMERA)
        begun = time.monotonic()
        talk.app(command(home, page.address))
        good = talk.live and wait_for(lambda: page.sounds(begun), 120)
        ok(good, f"in a call {name} hears the microphone", (page.said, desktop.dump() and desktop.log("callgate-pipewire")))
        block(alice, MICROPHONE)
        stops(page, f"blocked, {name} hears nothing")
        said = len(page.said)
        unblock(alice, MICROPHONE)
        begun = time.monotonic()
        at = wait_for(lambda: page.sounds(begun), 120)
        ok(at and at - begun <= limit, f"allowed again, {name} hears it without being started again ({(at or begun) - begun:.2f} s)",
           page.said[said:])
        talk.end()
        stops(page, f"after the call {name} hears nothing")
        talk.stop()
        end_browser(home)


def end_browser(home):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if home.encode() in file.read():
                    os.kill(int(pid), signal.SIGKILL)
        except OSError:
            pass


def prepare_browser(name, command, page):
    home = f"{PLACE}/home/{name}"
    shutil.rmtree(home, ignore_errors=True)
    os.makedirs(home)
    words = command(home, page.address)
    subprocess.run(["chown", "-R", f"{ALICE}:{ALICE}", home], check=True)
    return home, words


def browse_cameras(alice, bob, desktop):
    """The camera in browsers, natively, by the portal: its user's no and yes, and then Callgate's."""
    ok(start_portal(desktop), "the desktop's portal comes", desktop.log("portal"))
    desktop.begin("picture", VICTIM, "--camera", "picture", PLACE + "/picture", PIPEWIRE_REMOTE="pipewire-0-manager")
    for name, command, limit in BROWSERS:
        talk = Talk(alice, bob, desktop, MICROPHONE | CAMERA)
        for answer, what in (("1", "in a call, refused by the portal's user,"), ("0", "outside a call, allowed by him,")):
            asked = desktop.log("answers").count("asked")
            answer_portal(desktop, answer)
            page = Page("video")
            home, words = prepare_browser(name, command, page)
            if answer == "1":
                talk.app(words)
            else:
                desktop.begin(name, *words)
            ok(wait_for(lambda: desktop.log("answers").count("asked") > asked, 120), f"{what} {name} has asked the portal",
               (page.said, desktop.log("portal")))
            time.sleep(8)
            ok(page.at == 0, f"{what} it gets no picture ({', '.join(sorted(set(page.said)))})", page.said)
            desktop.end(name)
            end_browser(home)
        page = Page("video")
        home, words = prepare_browser(name, command, page)
        begun = time.monotonic()
        talk.app(words)
        good = talk.live and wait_for(lambda: page.sounds(begun), 120)
        ok(good, f"in a call, allowed by him, {name} gets pictures ({', '.join(page.said)})",
           (page.said, desktop.log("callgate-pipewire"), desktop.log("portal")))
        said = len(page.said)
        block(alice, CAMERA)
        stops(page, f"blocked, {name} gets none")
        unblock(alice, CAMERA)
        begun = time.monotonic()
        at = wait_for(lambda: page.sounds(begun), 60)
        # Firefox ends the track; its page asks again, each third of a second.
        ok(at and at - begun <= limit + page.said[said:].count("ended"), f"allowed again, {name} gets pictures without being started again ({(at or begun) - begun:.2f} s"
           f"{', its page: ' + ', '.join(page.said[said:]) if page.said[said:] else ''})", page.said[said:])
        talk.end()
        stops(page, f"after the call {name} gets none")
        talk.stop()
        end_browser(home)
