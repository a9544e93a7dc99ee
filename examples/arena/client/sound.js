// Sounds made from noise and a few oscillators. Silent until somebody turns them on.

export class Sounds {
  constructor() {
    this.on = false;
    /** @type {AudioContext | null} */
    this.context = null;
  }

  toggle() {
    this.on = !this.on;
    if (this.on && !this.context) this.#start();
    if (this.on) this.context?.resume();
    else this.context?.suspend();
    return this.on;
  }

  #start() {
    const context = new AudioContext();
    this.context = context;
    const limiter = context.createDynamicsCompressor();
    this.out = context.createGain();
    this.out.gain.value = 0.5;
    this.out.connect(limiter).connect(context.destination);
    this.noise = context.createBuffer(1, context.sampleRate * 2, context.sampleRate);
    const data = this.noise.getChannelData(0);
    for (let i = 0; i < data.length; i += 1) data[i] = Math.random() * 2 - 1;
    // The sea, always there.
    const sea = context.createBufferSource();
    sea.buffer = this.noise;
    sea.loop = true;
    const low = context.createBiquadFilter();
    low.type = "lowpass";
    low.frequency.value = 380;
    const level = context.createGain();
    level.gain.value = 0.05;
    const swell = context.createOscillator();
    swell.frequency.value = 0.13;
    const depth = context.createGain();
    depth.gain.value = 0.03;
    swell.connect(depth).connect(level.gain);
    sea.connect(low).connect(level).connect(this.out);
    sea.start();
    swell.start();
  }

  /** A burst of filtered noise. */
  #burst(volume, seconds, type, from, to, delay = 0) {
    if (!this.on || !this.context || volume < 0.02) return;
    const t = this.context.currentTime + delay;
    const source = this.context.createBufferSource();
    source.buffer = this.noise;
    const filter = this.context.createBiquadFilter();
    filter.type = type;
    filter.frequency.setValueAtTime(from, t);
    filter.frequency.exponentialRampToValueAtTime(to, t + seconds);
    const gain = this.context.createGain();
    gain.gain.setValueAtTime(volume, t);
    gain.gain.exponentialRampToValueAtTime(0.001, t + seconds);
    source.connect(filter).connect(gain).connect(this.out);
    source.start(t, Math.random(), seconds);
  }

  #tone(volume, seconds, type, from, to, delay = 0) {
    if (!this.on || !this.context || volume < 0.02) return;
    const t = this.context.currentTime + delay;
    const tone = this.context.createOscillator();
    tone.type = type;
    tone.frequency.setValueAtTime(from, t);
    tone.frequency.exponentialRampToValueAtTime(to, t + seconds);
    const gain = this.context.createGain();
    gain.gain.setValueAtTime(volume, t);
    gain.gain.exponentialRampToValueAtTime(0.001, t + seconds);
    tone.connect(gain).connect(this.out);
    tone.start(t);
    tone.stop(t + seconds);
  }

  cannon(volume, guns) {
    for (let i = 0; i < guns; i += 1) {
      const delay = i * (0.03 + Math.random() * 0.02);
      this.#burst(volume * 0.8, 0.5, "lowpass", 1600, 90, delay);
      this.#tone(volume * 0.7, 0.3, "sine", 120, 36, delay);
    }
  }

  hit(volume) {
    this.#burst(volume * 0.7, 0.22, "bandpass", 900, 220);
    this.#tone(volume * 0.3, 0.12, "square", 190, 60);
  }

  splash(volume) {
    this.#burst(volume * 0.28, 0.5, "highpass", 700, 2600);
  }

  thud(volume) {
    this.#burst(volume * 0.4, 0.2, "lowpass", 500, 80);
  }

  sink(volume) {
    this.#burst(volume, 1.6, "lowpass", 1200, 40);
    this.#tone(volume * 0.8, 1.1, "sawtooth", 90, 24);
    this.#burst(volume * 0.4, 1.4, "bandpass", 300, 1400, 0.5);
  }

  tick() {
    this.#tone(0.16, 0.07, "triangle", 1250, 900);
  }

  beat(last) {
    this.#tone(0.3, last ? 0.7 : 0.16, "triangle", last ? 880 : 440, last ? 860 : 430);
  }

  bell() {
    for (const [f, v] of [[660, 0.32], [1320, 0.14], [1980, 0.08]]) this.#tone(v, 1.8, "sine", f, f * 0.995);
  }
}
