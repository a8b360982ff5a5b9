"""bellwether as a command: what it says of whole, torn and damaged logs, its exit codes, its report."""

import json
import os
import struct
import subprocess
import sys
import tempfile
import unittest

TOOL = sys.argv.pop(1)


def run(*arguments):
    return subprocess.run([TOOL, *arguments], capture_output=True, text=True, timeout=300,
                          check=False)


def put(key, value):
    return bytes([1, len(key)]) + key + bytes([len(value)]) + value


def log_data(blob):
    return bytes([3, len(blob)]) + blob


def record(sequence, count, operations):
    """A record at the front of a log, encoded by other code than the tool's."""
    batch = struct.pack("<QI", sequence, count) + operations
    crc = 0xFFFFFFFF
    for byte in b"\x01" + batch:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    return struct.pack("<IHB", masked, len(batch), 1) + batch


class Store(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.directory = os.path.join(self.folder.name, "store")
        self.report = os.path.join(self.folder.name, "report.json")
        self.log = os.path.join(self.directory, "000001.log")
        self.run_ok("load", self.directory, "--batches", "200", "--operations", "2")

    def tearDown(self):
        self.folder.cleanup()

    def run_ok(self, *arguments):
        result = run(*arguments)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return result.stdout

    def rows(self):
        with open(self.report, encoding="utf-8") as file:
            report = json.load(file)
        return report["exit"], {row["what"]: row for row in report["rows"]}

    def flip(self, offset):
        with open(self.log, "r+b") as file:
            file.seek(offset)
            byte = file.read(1)[0]
            file.seek(offset)
            file.write(bytes([byte ^ 1]))

    def test_verify_says_what_is_there(self):
        self.run_ok("verify", self.directory, "--json", self.report)
        code, rows = self.rows()
        self.assertEqual(code, 0)
        row = rows["000001.log"]
        self.assertEqual(row["result"], "ok")
        self.assertEqual(row["figures"]["first_sequence"], 1)
        self.assertEqual(row["figures"]["next_sequence"], 401)
        self.assertEqual(row["figures"]["end_offset"], os.path.getsize(self.log))

    def test_verify_names_what_is_corrupt_and_changes_nothing(self):
        self.flip(1000)
        with open(self.log, "rb") as file:
            before = file.read()
        result = run("verify", self.directory, "--json", self.report)
        self.assertEqual(result.returncode, 14)
        self.assertRegex(result.stdout, r"000001\.log: CORRUPT offset \d+ to \d+, sequences \d+ to")
        code, rows = self.rows()
        self.assertEqual(code, 14)
        self.assertEqual(rows["000001.log"]["figures"]["gaps"], 1)
        self.assertEqual(rows["000001.log"]["figures"]["next_sequence"], 401)
        with open(self.log, "rb") as file:
            self.assertEqual(file.read(), before)
        self.assertEqual(sorted(os.listdir(self.directory)), ["000001.log", "LOCK", "MANIFEST"])

    def test_a_torn_tail_is_told_apart(self):
        os.truncate(self.log, os.path.getsize(self.log) - 1)
        self.assertIn("torn: offset", self.run_ok("verify", self.directory))
        with open(self.log, "ab") as file:
            file.write(bytes(5000))
        result = run("verify", self.directory)
        self.assertEqual(result.returncode, 0)

    def test_a_torn_log_before_another_is_corrupt(self):
        self.run_ok("load", self.directory, "--batches", "10")
        os.truncate(self.log, os.path.getsize(self.log) - 1)
        result = run("verify", self.directory)
        self.assertEqual(result.returncode, 14)
        self.assertIn("before another log", result.stdout)

    def test_dump_shows_every_record_also_behind_damage(self):
        def records(text):
            return sum(line.startswith("offset ") for line in text.splitlines())

        before = records(self.run_ok("dump-wal", self.log))
        self.flip(1000)
        result = run("dump-wal", self.log)
        self.assertEqual(result.returncode, 14)
        self.assertEqual(records(result.stdout), before - 1)
        self.assertIn("  put \"key", result.stdout)

    def checkpointed(self):
        """A store with a snapshot, logs with watermarks, and three undecided transactions."""
        directory = os.path.join(self.folder.name, "checkpointed")
        load = ("load", directory, "--batches", "100", "--durable-watermark", "--undecided")
        self.run_ok(*load, "2", "--max-log-bytes", "5000", "--sync")
        return directory

    def only(self, directory, suffix):
        names = [name for name in sorted(os.listdir(directory)) if name.endswith(suffix)]
        self.assertEqual(len(names), 1, names)
        return names[0]

    def test_verify_knows_snapshots_watermarks_and_prepares(self):
        directory = self.checkpointed()
        text = self.run_ok("verify", directory, "--json", self.report)
        _, rows = self.rows()
        snapshot, log = self.only(directory, ".snapshot"), self.only(directory, ".log")
        figures = rows[snapshot]["figures"]
        self.assertEqual(rows[snapshot]["result"], "ok")
        self.assertGreater(figures["entries"], 0)
        self.assertEqual(rows[log]["figures"]["first_sequence"], figures["sequence"] + 1)
        self.assertGreater(rows[log]["figures"]["watermark"], 0)
        self.assertEqual(rows["undecided transactions"]["figures"]["transactions"], 2)
        self.assertEqual(rows['undecided transaction "load100"']["figures"]["operations"], 1)
        self.assertRegex(text, snapshot + r": \d+ bytes, \d+ entries, \d+ prepares, the state at")
        self.assertIn('undecided transaction "load101": 1 operations', text)

    def test_dump_shows_watermarks_and_prepares(self):
        directory = self.checkpointed()
        log = os.path.join(directory, self.only(directory, ".log"))
        text = self.run_ok("dump-wal", log)
        self.assertRegex(text, r"  synced up to offset [1-9]\d*\n  begin prepare\n  put ")
        self.assertIn('  end prepare "load101"', text)
        self.assertRegex(text, r"synced up to offset \d+: ok")

    def test_verify_names_each_damaged_part_of_a_snapshot(self):
        directory = self.checkpointed()
        name = self.only(directory, ".snapshot")
        path = os.path.join(directory, name)
        size = os.path.getsize(path)
        with open(path, "rb") as file:
            whole = file.read()
        for changed, where in ((whole[:20] + b"?" + whole[21:], 0), (whole[:-1], size - 33),
                               (whole[:-1] + b"?", size - 33)):
            with open(path, "wb") as file:
                file.write(changed)
            result = run("verify", directory, "--json", self.report)
            self.assertEqual(result.returncode, 14)
            self.assertIn(f"{name}: CORRUPT offset {where} to ", result.stdout)
            self.assertEqual(self.rows()[1][name]["result"], "FAILED: corrupt")
            self.assertEqual(run("get", directory, "k").returncode, 14)

    def test_a_missing_file_is_named(self):
        directory = self.checkpointed()
        log = self.only(directory, ".log")
        os.remove(os.path.join(directory, log))
        result = run("verify", directory, "--json", self.report)
        self.assertEqual(result.returncode, 14)
        self.assertIn(f"{log}: FAILED: missing", result.stdout)
        self.assertIn("FAILED: missing", self.rows()[1][log]["result"])
        result = run("get", directory, "k")
        self.assertEqual(result.returncode, 14)
        self.assertIn(log, result.stderr)

    def test_a_directory_with_other_files_is_refused(self):
        with open(os.path.join(self.directory, "notes.txt"), "w", encoding="utf-8") as file:
            file.write("hello")
        result = run("verify", self.directory)
        self.assertEqual(result.returncode, 1)
        self.assertIn("notes.txt", result.stderr)
        self.assertIn("000001.log", result.stdout)

    def test_scan_and_get_agree(self):
        lines = self.run_ok("scan", self.directory, "--limit", "3").splitlines()
        self.assertEqual(len(lines), 3)
        for line in lines:
            key, value = line.replace('"', "").split(" ")
            self.assertEqual(self.run_ok("get", self.directory, key), value + "\n")
        first, second, _ = (line.split('"')[1] for line in lines)
        only = self.run_ok("scan", self.directory, "--from", first, "--to", second)
        self.assertEqual(only, lines[0] + "\n")

    def test_bytes_of_every_kind_come_out_as_they_are(self):
        directory = os.path.join(self.folder.name, "bytes")
        os.mkdir(directory)
        key, value = b'"\\\x7f\x80', b"a\0b\nc\xff"
        with open(os.path.join(directory, "000001.log"), "wb") as file:
            file.write(record(1, 1, put(key, value)))
        self.assertEqual(self.run_ok("scan", directory),
                         '"\\"\\\\\\x7f\\x80" "a\\x00b\\x0ac\\xff"\n')
        result = subprocess.run([TOOL, "get", directory.encode(), key], capture_output=True,
                                timeout=300, check=True)
        self.assertEqual(result.stdout, value + b"\n")

    def test_dump_tells_gaps_and_log_data(self):
        log = os.path.join(self.folder.name, "gap.log")
        gap = log_data(b"bellwether:gap" + struct.pack("<QQ", 1, 5))
        with open(log, "wb") as file:
            file.write(record(5, 1, gap + log_data(b"blob") + put(b"k", b"v")))
        text = self.run_ok("dump-wal", log)
        self.assertEqual(text.splitlines()[:4],
                         ["offset 0 sequence 5 consumes 1",
                          "  gap: sequences 1 to 4 were not logged", '  log data "blob"',
                          '  put "k" "v"'])
        self.assertIn("4 sequences not logged", text)

    def test_a_gap_names_the_sequences_that_are_lost(self):
        records = [line.split() for line in self.run_ok("dump-wal", self.log).splitlines()
                   if line.startswith("offset ")]
        lost = max(int(sequence) for _, offset, _, sequence, *_ in records if int(offset) <= 1000)
        self.flip(1000)
        self.assertIn(f"sequences {lost} to {lost + 1} lost", run("verify", self.directory).stdout)

    def test_verify_tells_what_is_no_part_of_the_state(self):
        directory = self.checkpointed()
        for name, contents in (("000000.log", b"?"), ("000000.snapshot", b"?"),
                               ("999999.log", bytes(10)), ("999999.snapshot.tmp", b"?")):
            with open(os.path.join(directory, name), "wb") as file:
                file.write(contents)
        text = self.run_ok("verify", directory)
        for line in (r"000000\.log: .*: covered by a snapshot",
                     r"000000\.snapshot: .*: covered by a newer snapshot",
                     r"999999\.log: .*: blank", r"999999\.snapshot\.tmp: unfinished"):
            self.assertRegex(text, line)
        with open(os.path.join(directory, "MANIFEST"), "ab") as file:
            file.write(b"?")
        result = run("verify", directory)
        self.assertEqual(result.returncode, 14)
        self.assertIn("MANIFEST: FAILED: corrupt", result.stdout)

    def test_a_load_that_fails_says_so(self):
        directory = os.path.join(self.folder.name, "undecided")
        load = ("load", directory, "--batches", "5", "--undecided", "1")
        self.run_ok(*load)
        result = run(*load)
        self.assertEqual(result.returncode, 1)
        self.assertIn("prepared already", result.stderr)

    def test_what_cannot_be_printed_is_told(self):
        for arguments in (("dump-wal", self.log), ("scan", self.directory),
                          ("verify", self.directory)):
            with self.subTest(arguments), open("/dev/full", "w", encoding="utf-8") as full:
                result = subprocess.run([TOOL, *arguments], stdout=full, stderr=subprocess.PIPE,
                                        text=True, timeout=300, check=False)
                self.assertEqual(result.returncode, 1)
                self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
                self.assertIn("standard output", result.stderr)

    def test_load_deletes_in_batches_of_several_keys(self):
        directory = os.path.join(self.folder.name, "with deletes")
        self.run_ok("load", directory, "--batches", "300", "--operations", "4", "--deletes", "40",
                    "--threads", "3", "--json", self.report)
        figures = self.rows()[1]["load"]["figures"]
        text = self.run_ok("dump-wal", os.path.join(directory, "000001.log"), "--whole-values")
        values, operations, deletes = {}, 0, 0
        for line in text.splitlines():
            words = line.split('"')
            operations += words[0] in ("  put ", "  delete ")
            deletes += words[0] == "  delete "
            if words[0] == "  put ":
                values[words[1]] = words[3]
            elif words[0] == "  delete ":
                values.pop(words[1], None)
        self.assertEqual((operations, deletes), (1200, figures["deletes"]))
        self.assertGreater(deletes, 300)
        kept = "".join(f'"{key}" "{value}"\n' for key, value in sorted(values.items()))
        self.assertEqual(self.run_ok("scan", directory), kept)


class BadInput(unittest.TestCase):
    def test_one_clear_line_and_exit_code_1(self):
        with tempfile.TemporaryDirectory() as directory:
            for arguments in ([], ["nonsense"], ["dump-wal"], ["dump-wal", "/nonexistent"],
                              ["verify", directory], ["verify", "/nonexistent"],
                              ["get", directory, "k"], ["scan", "/dev/null"],
                              ["load", directory, "--threads", "0"],
                              ["load", directory, "--batches", "-1"],
                              ["load", directory, "--batches", str(2**63), "--operations", "2"],
                              ["load", directory, "--undecided", str(2**64 - 1)],
                              ["load", directory, "--max-log-bytes", "-1"],
                              ["load", directory, "--seed", "-1"],
                              ["scan", directory, "--limit", "-1"],
                              ["load", directory, "--deletes", "101"]):
                with self.subTest(arguments):
                    result = run(*arguments)
                    self.assertEqual(result.returncode, 1, result.stderr)
                    self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)

    def test_a_key_without_a_value(self):
        with tempfile.TemporaryDirectory() as directory:
            self.assertEqual(run("load", directory, "--batches", "1").returncode, 0)
            result = run("get", directory, "no such key")
            self.assertEqual(result.returncode, 1)
            self.assertIn("the key has no value", result.stderr)


if __name__ == "__main__":
    unittest.main()
