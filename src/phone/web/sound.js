// The browser's microphone and loudspeaker, as one end of a telephone line.

export class Sound {
  /** Must begin in a click, or the browser keeps it silent; a person may take long to allow the microphone. */
  static async open({ microphone, on }) {
    if (!("AudioWorkletNode" in window)) {
      throw new Problem(
        "This browser, or this address, cannot make a phone: open the page over https or as http://localhost, in a current Chromium, Firefox or Safari.",
      );
    }
    const context = new AudioContext({ latencyHint: "interactive" });
    const running = context.resume();
    let stream = null;
    try {
      stream = microphone ? await listen() : null;
      await Promise.race([running, new Promise((done) => setTimeout(done, PATIENCE))]);
      if (context.state !== "running") throw new Problem("The browser keeps this page silent. Press Call once more.");
      await context.audioWorklet.addModule("/phone/worklet.js").catch(() => {
        throw new Problem("The relay cannot be reached: a part of this page did not come. Does it still run?");
      });
      return new Sound(context, stream, on);
    } catch (error) {
      stream?.getTracks().forEach((track) => track.stop());
      context.close();
      if (error instanceof Problem) throw error;
      throw new Problem(`The sound could not be started (${error.message}). Close other programs that use it, and try again.`);
    }
  }

  constructor(context, stream, on) {
    this.context = context;
    this.stream = stream;
    this.node = new AudioWorkletNode(context, "phone", { numberOfInputs: 1, numberOfOutputs: 1, outputChannelCount: [1] });
    this.node.port.onmessage = ({ data }) => on(data);
    this.node.connect(context.destination);
    if (stream) {
      this.source = context.createMediaStreamSource(stream);
      this.source.connect(this.node);
      // A microphone that is pulled out: the call goes on, and its owner should know.
      stream.getAudioTracks()[0]?.addEventListener("ended", () => on({ what: "no-microphone" }));
    }
  }

  play(audio) {
    this.node.port.postMessage({ what: "audio", audio }, [audio.buffer]);
  }

  mark(name) {
    this.node.port.postMessage({ what: "mark", name });
  }

  clear() {
    this.node.port.postMessage({ what: "clear" });
  }

  mute(muted) {
    this.node.port.postMessage({ what: "mute", muted });
  }

  close() {
    this.node.port.postMessage({ what: "over" });
    this.node.port.onmessage = null;
    this.stream?.getTracks().forEach((track) => track.stop());
    this.context.close();
  }
}

/** Something that its reader can do something about. `silent`: a call without a microphone would work. */
export class Problem extends Error {
  constructor(text, { silent = false } = {}) {
    super(text);
    this.silent = silent;
  }
}

async function listen() {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new Problem("Browsers give a microphone only to https pages and to http://localhost: open this page there.", { silent: true });
  }
  try {
    const audio = { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true };
    return await navigator.mediaDevices.getUserMedia({ audio });
  } catch (error) {
    throw new Problem(WHY[error.name] ?? `The microphone does not work (${error.name}).`, { silent: true });
  }
}

const WHY = {
  NotAllowedError: "The microphone is not allowed. Allow it for this page (the sign beside the address), and call again.",
  NotFoundError: "There is no microphone. Plug one in, and call again.",
  NotReadableError: "The microphone is in use by another program, or switched off. Free it, and call again.",
};

// Sound that is allowed starts within a fraction of a second.
const PATIENCE = 3000;
