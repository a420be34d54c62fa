// SPDX-License-Identifier: LGPL-2.1-or-later

// One end of the call channel over flynn/noise, as far as the first DATA each way. Written from doc/protocol.md.
//
// Usage: peer initiator|responder right|commitment|number|keys. Records on standard input and output: u32 length,
// a letter (B blob, J the result as JSON, which ends it), bytes.
package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/flynn/noise"
	"golang.org/x/crypto/hkdf"
)

const (
	typeInit = 1 + iota
	typeResp
	typeFin
	typeData
)

const (
	ready     = 1
	heartbeat = 2
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

func must(good bool, what string) {
	if !good {
		check(fmt.Errorf("%s", what))
	}
}

func put(letter byte, data []byte) {
	head := make([]byte, 5)
	binary.BigEndian.PutUint32(head, uint32(1+len(data)))
	head[4] = letter
	_, err := os.Stdout.Write(append(head, data...))
	check(err)
}

// The next blob of a type; repeated ones of other types are passed over.
func get(kind byte) []byte {
	for {
		head := make([]byte, 4)
		_, err := io.ReadFull(os.Stdin, head)
		if err == io.EOF {
			os.Exit(0)
		}
		check(err)
		data := make([]byte, binary.BigEndian.Uint32(head))
		_, err = io.ReadFull(os.Stdin, data)
		check(err)
		must(data[0] == 'B' && len(data) > 19, "a record that is no blob")
		if data[2] == kind {
			return data[1:]
		}
	}
}

func random(n int) []byte {
	p := make([]byte, n)
	_, err := rand.Read(p)
	check(err)
	return p
}

func join(parts ...[]byte) []byte {
	return bytes.Join(parts, nil)
}

func hash(data []byte) []byte {
	sum := sha512.Sum512(data)
	return sum[:]
}

func commitment(sid, static, nonce []byte) []byte {
	return hash(join([]byte("callgate/1 commit"), sid, static, nonce))[:32]
}

func expand(prk, info []byte, n int) []byte {
	out := make([]byte, n)
	_, err := io.ReadFull(hkdf.Expand(sha512.New, prk, info), out)
	check(err)
	return out
}

func header(kind byte, sid []byte) []byte {
	return join([]byte{1, kind}, sid)
}

type end struct {
	initiator        bool
	wrong            string
	sid, prologue    []byte
	hs               *noise.HandshakeState
	static           noise.DHKey
	rI, rR, mI, mR   []byte
	sI, sR, eI, eR   []byte
	send, receive    noise.Cipher
	handshakeBinding []byte
}

func (e *end) begin(offer []byte) {
	suite := noise.NewCipherSuite(noise.DH25519, noise.CipherChaChaPoly, noise.HashSHA512)
	var err error
	e.static, err = suite.GenerateKeypair(rand.Reader)
	check(err)
	e.prologue = join([]byte("callgate/1\x00\x00\x01"), e.sid, offer)
	e.hs, err = noise.NewHandshakeState(noise.Config{
		CipherSuite: suite, Random: rand.Reader, Pattern: noise.HandshakeXX, Initiator: e.initiator,
		Prologue: e.prologue, StaticKeypair: e.static,
	})
	check(err)
}

func (e *end) split(toResponder, toInitiator *noise.CipherState) {
	e.handshakeBinding = e.hs.ChannelBinding()
	own, other := e.static.Public, e.hs.PeerStatic()
	eOwn, eOther := e.hs.LocalEphemeral().Public, e.hs.PeerEphemeral()
	if e.initiator {
		e.sI, e.sR, e.eI, e.eR = own, other, eOwn, eOther
		e.send, e.receive = toResponder.Cipher(), toInitiator.Cipher()
	} else {
		e.sI, e.sR, e.eI, e.eR = other, own, eOther, eOwn
		e.send, e.receive = toInitiator.Cipher(), toResponder.Cipher()
	}
}

func (e *end) number() string {
	prk := hkdf.Extract(sha512.New, join(e.rI, e.rR), hash(e.prologue))
	sR := e.sR
	if e.wrong == "number" {
		sR = nil
	}
	out := expand(prk, join([]byte("callgate/1 sas"), e.sI, sR, e.eI, e.eR), 8)
	n := binary.BigEndian.Uint64(out) % 1000000000
	return fmt.Sprintf("%03d %03d %03d", n/1000000, n/1000%1000, n%1000)
}

func (e *end) mediaKeys() map[string]string {
	first, second := e.mI, e.mR
	if e.wrong == "keys" {
		first, second = second, first
	}
	mac := hmac.New(sha512.New, e.handshakeBinding)
	mac.Write(join(first, second))
	prk := mac.Sum(nil)
	keys := map[string]string{}
	for dir := byte(0); dir < 2; dir++ {
		for kind := byte(1); kind < 4; kind++ {
			info := join([]byte("callgate/1 sframe "), []byte{dir, kind, 0, 0, 0, 0})
			keys[fmt.Sprintf("%d.%d", dir, kind)] = hex.EncodeToString(expand(prk, info, 32))
		}
	}
	return keys
}

// DATA 1 of this end: READY with its contribution, or a heartbeat.
func (e *end) say(kind byte, echo uint64, tail []byte) {
	ad := join(header(typeData, e.sid), make([]byte, 4), []byte{0, 0, 0, 0, 0, 0, 0, 1})
	plain := make([]byte, 64)
	plain[0] = kind
	binary.BigEndian.PutUint64(plain[1:], 1)
	binary.BigEndian.PutUint64(plain[13:], echo)
	plain[25], plain[26], plain[28] = 1, 1, 1
	copy(plain[29:], tail)
	put('B', e.send.Encrypt(ad, 1, ad, plain))
}

// DATA 1 of the other end.
func (e *end) hear(kind byte) []byte {
	blob := get(typeData)
	must(len(blob) == 110 && binary.BigEndian.Uint64(blob[22:30]) == 1, "not DATA 1")
	plain, err := e.receive.Decrypt(nil, 1, blob[:30], blob[30:])
	check(err)
	must(plain[0] == kind, "DATA of another type")
	return plain
}

func (e *end) call() []byte {
	offer := []byte{1, 1, 0, 3, 0, 3}
	e.sid, e.rI, e.mI = random(16), random(32), random(32)
	e.begin(offer)
	nonce := e.rI
	if e.wrong == "commitment" {
		nonce = random(32)
	}
	message, _, _, err := e.hs.WriteMessage(nil, commitment(e.sid, e.static.Public, nonce))
	check(err)
	put('B', join(header(typeInit, e.sid), offer, message))

	payload, _, _, err := e.hs.ReadMessage(nil, get(typeResp)[18:])
	check(err)
	must(len(payload) == 64 && payload[32] == 1, "RESP")
	e.rR = payload[:32]
	message, first, second, err := e.hs.WriteMessage(nil, join(e.rI, e.mI))
	check(err)
	e.split(first, second)
	put('B', join(header(typeFin, e.sid), message))

	heard := e.hear(ready)
	e.mR = heard[29:61]
	e.say(heartbeat, 1, nil)
	return heard
}

func (e *end) answer() []byte {
	blob := get(typeInit)
	count := int(blob[18])
	e.sid, e.rR, e.mR = blob[2:18], random(32), random(32)
	e.begin(blob[18 : 23+count])
	committed, _, _, err := e.hs.ReadMessage(nil, blob[23+count:])
	check(err)
	resp := join(e.rR, []byte{1, 0, 3, 0, 3, 0x07, 0xd0}, make([]byte, 25))
	message, _, _, err := e.hs.WriteMessage(nil, resp)
	check(err)
	put('B', join(header(typeResp, e.sid), message))

	payload, first, second, err := e.hs.ReadMessage(nil, get(typeFin)[18:])
	check(err)
	e.split(first, second)
	e.rI, e.mI = payload[:32], payload[32:]
	must(bytes.Equal(commitment(e.sid, e.sI, e.rI), committed), "the commitment does not match")
	e.say(ready, 0, e.mR)
	return e.hear(heartbeat)
}

func main() {
	must(len(os.Args) == 3, "usage: peer initiator|responder right|commitment|number|keys")
	e := &end{initiator: os.Args[1] == "initiator", wrong: os.Args[2]}
	var heard []byte
	if e.initiator {
		heard = e.call()
	} else {
		heard = e.answer()
	}
	result, err := json.Marshal(map[string]interface{}{
		"sas":  e.number(),
		"keys": e.mediaKeys(),
		"data": map[string]uint64{
			"number": binary.BigEndian.Uint64(heard[1:]),
			"echo":   binary.BigEndian.Uint64(heard[13:]),
		},
	})
	check(err)
	put('J', result)
}
