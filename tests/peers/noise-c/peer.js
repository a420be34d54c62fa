// SPDX-License-Identifier: LGPL-2.1-or-later

// One end of the call channel over noise-c.wasm, as far as the first DATA each way. Written from doc/protocol.md.
//
// Usage: node peer.js initiator|responder right|commitment|number|keys, with NODE_PATH at the package. Records on
// standard input and output: u32 length, a letter (B blob, J the result as JSON, which ends it), bytes.
'use strict';

const crypto = require('crypto');
const fs = require('fs');

const PATTERN = 'Noise_XX_25519_ChaChaPoly_SHA512';
const INIT = 1, RESP = 2, FIN = 3, DATA = 4;
const READY = 1, HEARTBEAT = 2;

const [role, wrong] = process.argv.slice(2);
const initiator = role === 'initiator';

function die(why) {
	fs.writeSync(2, `peer: ${why}\n`);
	process.exit(1);
}

function must(good, what) {
	if (!good)
		die(what);
}

function put(letter, data) {
	const head = Buffer.alloc(5);
	head.writeUInt32BE(1 + data.length);
	head.write(letter, 4);
	fs.writeSync(1, Buffer.concat([head, data]));
}

function readExactly(n) {
	const data = Buffer.alloc(n);
	for (let have = 0; have < n;) {
		const got = fs.readSync(0, data, have, n - have, null);
		if (got === 0)
			process.exit(0);
		have += got;
	}
	return data;
}

// The next blob of a type; repeated ones of other types are passed over.
function get(kind) {
	for (;;) {
		const data = readExactly(readExactly(4).readUInt32BE());
		must(data[0] === 0x42 && data.length > 19, 'a record that is no blob');
		if (data[2] === kind)
			return data.subarray(1);
	}
}

const join = (...parts) => Buffer.concat(parts.map((p) => typeof p === 'string' ? Buffer.from(p) : Buffer.from(p)));
const sha512 = (data) => crypto.createHash('sha512').update(data).digest();
const mac = (key, data) => crypto.createHmac('sha512', key).update(data).digest();
// One block of HKDF-Expand, which is all that is asked for.
const expand = (prk, info, n) => mac(prk, join(info, [1])).subarray(0, n);
const commitment = (sid, s, r) => sha512(join('callgate/1 commit', sid, s, r)).subarray(0, 32);

function number(prologue, v) {
	const prk = mac(sha512(prologue), join(v.rI, v.rR));
	const sR = wrong === 'number' ? Buffer.alloc(0) : v.sR;
	const out = expand(prk, join('callgate/1 sas', v.sI, sR, v.eI, v.eR), 8);
	const text = String(out.readBigUInt64BE() % 1000000000n).padStart(9, '0');
	return text.replace(/(...)(...)(...)/, '$1 $2 $3');
}

function mediaKeys(hash, v) {
	const prk = mac(hash, wrong === 'keys' ? join(v.mR, v.mI) : join(v.mI, v.mR));
	const keys = {};
	for (const dir of [0, 1])
		for (const kind of [1, 2, 3])
			keys[`${dir}.${kind}`] = expand(prk, join('callgate/1 sframe ', [dir, kind, 0, 0, 0, 0]), 32).toString('hex');
	return keys;
}

function run(noise) {
	const constants = noise.constants;
	const [secret, ownStatic] = noise.CreateKeyPair(constants.NOISE_DH_CURVE25519);
	const hs = noise.HandshakeState(PATTERN, initiator ? constants.NOISE_ROLE_INITIATOR : constants.NOISE_ROLE_RESPONDER);
	const v = {};
	let sid, prologue, hash, send, receive;

	function begin(offer) {
		prologue = join('callgate/1', [0, 0, 1], sid, offer);
		hs.Initialize(prologue, secret, null, null);
	}

	function split() {
		const other = Buffer.from(hs.GetRemotePublicKey());
		[v.sI, v.sR] = initiator ? [ownStatic, other] : [other, ownStatic];
		hash = Buffer.from(hs.GetHandshakeHash());
		[send, receive] = hs.Split();
	}

	const header = (kind) => join([1, kind], sid);

	function say(kind, echo, tail) {
		const ad = join(header(DATA), [0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 1]);
		const plain = Buffer.alloc(64);
		plain[0] = kind;
		plain.writeBigUInt64BE(1n, 1);
		plain.writeBigUInt64BE(BigInt(echo), 13);
		plain[25] = plain[26] = plain[28] = 1;
		tail.copy(plain, 29);
		send.SetNonce(1);
		put('B', join(ad, send.EncryptWithAd(ad, plain)));
	}

	function hear(kind) {
		const blob = get(DATA);
		must(blob.length === 110 && blob.readBigUInt64BE(22) === 1n, 'not DATA 1');
		receive.SetNonce(1);
		const plain = Buffer.from(receive.DecryptWithAd(blob.subarray(0, 30), blob.subarray(30)));
		must(plain[0] === kind, 'DATA of another type');
		return plain;
	}

	function call() {
		const offer = Buffer.from([1, 1, 0, 3, 0, 3]);
		sid = crypto.randomBytes(16);
		v.rI = crypto.randomBytes(32);
		v.mI = crypto.randomBytes(32);
		begin(offer);
		const committed = wrong === 'commitment' ? crypto.randomBytes(32) : v.rI;
		let message = Buffer.from(hs.WriteMessage(commitment(sid, ownStatic, committed)));
		v.eI = message.subarray(0, 32);
		put('B', join(header(INIT), offer, message));

		message = get(RESP).subarray(18);
		v.eR = message.subarray(0, 32);
		const payload = Buffer.from(hs.ReadMessage(message, true));
		must(payload.length === 64 && payload[32] === 1, 'RESP');
		v.rR = payload.subarray(0, 32);
		message = hs.WriteMessage(join(v.rI, v.mI));
		split();
		put('B', join(header(FIN), message));

		const heard = hear(READY);
		v.mR = heard.subarray(29, 61);
		say(HEARTBEAT, 1, Buffer.alloc(0));
		return heard;
	}

	function answer() {
		const init = get(INIT), count = init[18];
		sid = init.subarray(2, 18);
		v.rR = crypto.randomBytes(32);
		v.mR = crypto.randomBytes(32);
		begin(init.subarray(18, 23 + count));
		v.eI = init.subarray(23 + count, 55 + count);
		const committed = Buffer.from(hs.ReadMessage(init.subarray(23 + count), true));
		const message = Buffer.from(hs.WriteMessage(join(v.rR, [1, 0, 3, 0, 3, 0x07, 0xd0], Buffer.alloc(25))));
		v.eR = message.subarray(0, 32);
		put('B', join(header(RESP), message));

		const payload = Buffer.from(hs.ReadMessage(get(FIN).subarray(18), true));
		v.rI = payload.subarray(0, 32);
		v.mI = payload.subarray(32);
		split();
		must(commitment(sid, v.sI, v.rI).equals(committed), 'the commitment does not match');
		say(READY, 0, v.mR);
		return hear(HEARTBEAT);
	}

	const heard = initiator ? call() : answer();
	put('J', Buffer.from(JSON.stringify({
		sas: number(prologue, v),
		keys: mediaKeys(hash, v),
		data: { number: Number(heard.readBigUInt64BE(1)), echo: Number(heard.readBigUInt64BE(13)) },
	})));
}

require('noise-c.wasm')((noise) => {
	try {
		run(noise);
	} catch (error) {
		die(error.stack || error);
	}
});
