"""A parquet file's text column, read by a process of its own: `python columns.py FILE COLUMN`.

The library takes whatever memory a page says that it needs, and some damaged files end the process
that reads them (`abort`, not an exception; pyarrow 26). The process has an address space of 768
MiB on top of what it starts with, and its end is a sentence here. It imports nothing of ours.
"""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

MEMORY = 768 * 2**20  # bytes that the process may have more than it begins with
AT_ONCE = 16  # rows: each may be millions of characters


class Unreadable(Exception):
    """The file cannot be read, and why."""


def texts(path: Path, column: str) -> Iterator[str | None]:
    """The column's texts in order, None where there is none. Raises `Unreadable`."""
    from pyarrow import ArrowException, ipc

    # Arrow's own allocator reserves addresses by the gigabyte.
    environment = os.environ | {"ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1"}
    reader = subprocess.Popen(
        [sys.executable, "-P", __file__, str(path), column],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )
    assert reader.stdout is not None and reader.stderr is not None
    with reader:
        broken = False
        try:
            with ipc.open_stream(reader.stdout) as batches:
                for batch in batches:
                    yield from batch.column(0).to_pylist()
        except UnicodeDecodeError as error:
            raise Unreadable(f"not UTF-8: {error.reason}") from None
        except (ArrowException, OSError):
            broken = True  # the process says why, if it can
        finally:
            reader.stdout.close()
        said = reader.stderr.read().decode(errors="replace").strip().splitlines()
    if broken or reader.returncode:
        raise Unreadable(said[-1] if said else f"the library ended with {reader.returncode}")


def main(path: str, column: str) -> None:
    """Write the column to standard output as an Arrow stream."""
    from pyarrow import ipc, parquet, types

    begun = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (begun + MEMORY, begun + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    file = parquet.ParquetFile(path, pre_buffer=False, buffer_size=2**20)
    if column not in file.schema_arrow.names:
        raise Unreadable(f"no column {column!r}, only {', '.join(file.schema_arrow.names)}")
    field = file.schema_arrow.field(column)
    if not (types.is_string(field.type) or types.is_large_string(field.type)):
        raise Unreadable(f"the column {column!r} holds {field.type}, not text")
    out = None
    for batch in file.iter_batches(AT_ONCE, columns=[column], use_threads=False):
        out = out or ipc.new_stream(sys.stdout.buffer, batch.schema)
        out.write_batch(batch)
    if out is None:
        out = ipc.new_stream(sys.stdout.buffer, file.schema_arrow)
    out.close()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except BrokenPipeError:  # enough was read
        os._exit(0)
    except MemoryError:
        sys.exit(f"it asks for more than {MEMORY:,} bytes of memory at once")
    except (Unreadable, OSError, ValueError, KeyError, NotImplementedError) as error:  # Arrow's too
        sys.exit(str(error).splitlines()[0] if str(error) else type(error).__name__)
