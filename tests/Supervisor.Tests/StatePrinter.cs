using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Supervisor.Tests;

/// <summary>
/// Writes down a folder in full: kinds, modes, owners, times, attributes, links, content. One interpreter does it for all tests:
/// its start takes longer than a print, and there are a thousand of them.
/// </summary>
internal sealed class StatePrinter
{
    private const string Script = """
        import hashlib, os, sys
        def lines(root):
            inodes, found = {}, []
            def show(path):
                s = os.lstat(path); name = os.path.relpath(path, root)
                folder = os.path.isdir(path) and not os.path.islink(path)
                xattrs = {k: os.getxattr(path, k, follow_symlinks=False) for k in os.listxattr(path, follow_symlinks=False)}
                if os.path.islink(path): content = os.readlink(path)
                elif folder: content = ""
                else: content = hashlib.sha256(open(path, "rb").read()).hexdigest()
                # Moving entries touches the folder they are in; of files and links the times are exact.
                found.append(f"{name} {oct(s.st_mode)} {s.st_uid}:{s.st_gid} {'' if folder else s.st_mtime_ns} {xattrs} {content} same as {inodes.setdefault((s.st_dev, s.st_ino), name)}")
                if folder:
                    for entry in sorted(os.listdir(path)): show(os.path.join(path, entry))
            for top in ["shop", "old", "new", "appliance/etc"] + [n for n in sorted(os.listdir(root)) if n.startswith("single.db")]:
                if os.path.lexists(os.path.join(root, top)): show(os.path.join(root, top))
            return "\n".join(found)
        for root in sys.stdin:
            try: text = lines(root.rstrip("\n"))
            except OSError as e: text = f"cannot be read: {e}"
            data = text.encode()
            sys.stdout.buffer.write(b"%d\n" % len(data) + data); sys.stdout.buffer.flush()
        """;

    private readonly Lock _lock = new();
    private readonly Process _python = Process.Start(new ProcessStartInfo("/usr/bin/python3", ["-c", Script]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;

    /// <summary>What the folder holds.</summary>
    public string Print(string folder)
    {
        lock (_lock)
        {
            _python.StandardInput.Write(folder + "\n");
            _python.StandardInput.Flush();
            var output = _python.StandardOutput.BaseStream;
            var length = new StringBuilder();
            for (int digit; (digit = output.ReadByte()) != '\n';) length.Append(digit >= 0 ? (char)digit : throw new InvalidOperationException("the printer has ended"));
            var text = new byte[int.Parse(length.ToString(), CultureInfo.InvariantCulture)];
            output.ReadExactly(text);
            return Encoding.UTF8.GetString(text);
        }
    }
}
