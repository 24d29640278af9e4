package render

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// The most that is read of a result folder, in bytes. Runs write a tenth of it at most; a damaged file, or one that
// somebody else made, must not take all memory.
const (
	maxWhole = 1 << 30  // a file
	maxLine  = 64 << 20 // a line, after it was decompressed
)

// open reads a regular file. A pipe would wait for its other end, and is an error before it is opened.
func open(dir, name string, read func(io.Reader) error) error {
	path := filepath.Join(dir, name)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s is missing: %s is not a result folder, or was not written to the end", name, dir)
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s: damaged: not a regular file", path)
	case info.Size() > maxWhole:
		return fmt.Errorf("%s: damaged: %d bytes, and at most %d are read", path, info.Size(), maxWhole)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := read(io.LimitReader(f, maxWhole)); err != nil {
		return fmt.Errorf("%s: damaged: %w", path, err)
	}
	return nil
}

func readJSON(dir, name string, into any) error {
	return open(dir, name, func(r io.Reader) error {
		b, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		return json.Unmarshal(b, into)
	})
}

// readLines calls each with every line of a JSONL file, which may be compressed. There are at most so many.
func readLines(dir, name string, most int, each func([]byte) error) error {
	return open(dir, name, func(r io.Reader) error {
		if filepath.Ext(name) == ".gz" {
			zip, err := gzip.NewReader(r)
			if err != nil {
				return err
			}
			r = zip
		}
		in := bufio.NewReaderSize(r, 1<<16)
		var line []byte
		for n, records := 1, 0; ; n++ {
			var err error
			line, err = readLine(in, line[:0])
			if len(bytes.TrimSpace(line)) > 0 {
				if records++; records > most {
					return fmt.Errorf("line %d: more than the %d records that %s says", n, most, fileStories)
				}
				if err := each(line); err != nil {
					return fmt.Errorf("line %d: %w", n, err)
				}
			}
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return fmt.Errorf("line %d: %w", n, err)
			}
		}
	})
}

// readLine appends the next line to b, with its end.
func readLine(in *bufio.Reader, b []byte) ([]byte, error) {
	for {
		part, err := in.ReadSlice('\n')
		if len(b)+len(part) > maxLine {
			return nil, fmt.Errorf("longer than %d bytes", maxLine)
		}
		b = append(b, part...)
		if err != bufio.ErrBufferFull {
			return b, err
		}
	}
}
