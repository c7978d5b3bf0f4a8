// Reads cases from standard input and says of each what Go's packages for its checksum database make of it.
//
// A case holds verifier keys, a checkpoint note, and what it is asked to prove: a leaf at an index, or an earlier
// checkpoint that it extends. The answer to each is "verified" or the refusal.
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type proofCase struct {
	Keys   []string `json:"keys"`
	Note   []byte   `json:"note"`
	Leaf   []byte   `json:"leaf"`
	Index  int64    `json:"index"`
	Hashes [][]byte `json:"hashes"`
	Old    []byte   `json:"old"`
}

type tree struct {
	origin string
	size   int64
	root   tlog.Hash
}

func open(message []byte, keys []string) (tree, error) {
	var verifiers []note.Verifier
	for _, text := range keys {
		verifier, err := note.NewVerifier(text)
		if err != nil {
			return tree{}, err
		}
		verifiers = append(verifiers, verifier)
	}
	opened, err := note.Open(message, note.VerifierList(verifiers...))
	if err != nil {
		return tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[3] != "" || lines[0] != verifiers[0].Name() {
		return tree{}, fmt.Errorf("not a checkpoint of %s", verifiers[0].Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tree{}, err
	}
	content, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil {
		return tree{}, err
	}
	root, err := hashOf(content)
	return tree{lines[0], size, root}, err
}

func hashOf(content []byte) (tlog.Hash, error) {
	var hash tlog.Hash
	if len(content) != tlog.HashSize {
		return hash, fmt.Errorf("a hash of %d bytes", len(content))
	}
	copy(hash[:], content)
	return hash, nil
}

func check(asked proofCase) error {
	now, err := open(asked.Note, asked.Keys)
	if err != nil {
		return err
	}
	var hashes []tlog.Hash
	for _, content := range asked.Hashes {
		hash, err := hashOf(content)
		if err != nil {
			return err
		}
		hashes = append(hashes, hash)
	}
	if asked.Old == nil {
		return tlog.CheckRecord(hashes, now.size, now.root, asked.Index, tlog.RecordHash(asked.Leaf))
	}
	before, err := open(asked.Old, asked.Keys)
	if err != nil {
		return err
	}
	return tlog.CheckTree(hashes, now.size, now.root, before.size, before.root)
}

func main() {
	var cases []proofCase
	if err := json.NewDecoder(os.Stdin).Decode(&cases); err != nil {
		log.Fatal(err)
	}
	answers := []string{}
	for _, asked := range cases {
		answer := "verified"
		if err := check(asked); err != nil {
			answer = "refused: " + err.Error()
		}
		answers = append(answers, answer)
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		log.Fatal(err)
	}
}
