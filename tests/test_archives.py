"""Archives: good, truncated, hostile. Nothing of a refused one is written, inside the folder or outside."""

import io
import stat
import tarfile
import zipfile

import pytest
from tiny_sets import tar

from unroll.study import DataError
from unroll.study.sets.archives import unpack

GOOD = {"set/one.bin": b"one" * 9000, "set/deep/two.bin": b"two", "three.txt": b""}


def zipped(members):
    """Return a zip; of a pair, the second is the kind of the member."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, member in members.items():
            data, kind = member if isinstance(member, tuple) else (member, stat.S_IFREG)
            info = zipfile.ZipInfo()
            info.filename = name  # as it is: the constructor would tidy it up
            info.external_attr = (kind | 0o644) << 16
            archive.writestr(info, data)
    return content.getvalue()


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return {"good.bin": b"good", name: info}


ESCAPES = ("../outside", "set/../../outside", "/outside", "..\\outside", "C:/outside", "C:outside", "\\outside")
HOSTILE = {
    **{f"tar {name}": tar({"good.bin": b"good", name: b"bad"}) for name in ESCAPES},
    **{f"zip {name}": zipped({"good.bin": b"good", name: b"bad"}) for name in ESCAPES},
    "tar symlink": tar(special("link", tarfile.SYMTYPE, "/etc/passwd")),
    "tar symlink inside": tar(special("link", tarfile.SYMTYPE, "good.bin")),
    "tar hard link": tar(special("link", tarfile.LNKTYPE, "../outside")),
    "tar device": tar(special("device", tarfile.CHRTYPE)),
    "tar pipe": tar(special("pipe", tarfile.FIFOTYPE)),
    "zip symlink": zipped({"good.bin": b"good", "link": (b"/etc/passwd", stat.S_IFLNK)}),
    "zip device": zipped({"good.bin": b"good", "device": (b"", stat.S_IFCHR)}),
}


def held(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("content", [tar(GOOD), tar(GOOD, "w"), zipped(GOOD)], ids=["tar.gz", "tar", "zip"])
def test_what_an_archive_holds(tmp_path, content):
    (tmp_path / "archive").write_bytes(content)
    unpack(tmp_path / "archive", tmp_path / "folder")
    assert held(tmp_path / "folder") == GOOD
    (tmp_path / "folder" / "three.txt").write_bytes(b"mine")
    (tmp_path / "folder" / "set" / "deep" / "two.bin").unlink()
    unpack(tmp_path / "archive", tmp_path / "folder")
    assert held(tmp_path / "folder") == GOOD | {"three.txt": b"mine"}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_archives(tmp_path, kind):
    (tmp_path / "archive").write_bytes(HOSTILE[kind])
    (tmp_path / "folder" / "in").mkdir(parents=True)
    why = "would land outside its folder" if "outside" in kind else "is neither a file nor a folder"
    with pytest.raises(DataError, match=rf"archive .*archive is refused: its member .* {why}"):
        unpack(tmp_path / "archive", tmp_path / "folder" / "in")
    assert held(tmp_path) == {"archive": HOSTILE[kind]}


@pytest.mark.parametrize("content", [tar(GOOD), tar(GOOD, "w"), zipped(GOOD), b"?", b""])
def test_damaged_archives(tmp_path, content):
    (tmp_path / "archive").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"archive .*archive is damaged: "):
        unpack(tmp_path / "archive", tmp_path / "folder")
    assert not (tmp_path / "folder").exists() or list((tmp_path / "folder").iterdir()) == []


def test_a_damaged_member_leaves_the_earlier_files(tmp_path):
    content = bytearray(zipped({"set/one.bin": b"one" * 100}))
    content[content.index(b"one.bin") + 10] ^= 255
    (tmp_path / "archive").write_bytes(content)
    (tmp_path / "earlier").write_bytes(b"good")
    with pytest.raises(DataError, match=r"archive .*archive is damaged: "):
        unpack(tmp_path / "archive", tmp_path)
    assert held(tmp_path) == {"archive": bytes(content), "earlier": b"good"}
