# SPDX-License-Identifier: LGPL-2.1-or-later
"""Browsers for apps.py: a page at this machine's own address wants the microphone, or the camera, again and again until it has it, and
says what it gets. The browser's own question is answered by an option of it; the portal's and Callgate's are not."""
import http.server
import os
import threading
import time

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
