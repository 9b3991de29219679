using System.Runtime.InteropServices;
using Appliance.Core;
using Appliance.Core.Bundles;
using Appliance.UpdateClient.Sources;
using Microsoft.Win32.SafeHandles;

namespace Appliance.Supervisor.Usb;

/// <summary>Reads what the bundles in a stick's top folder say of themselves. Whoever made the stick need not mean well.</summary>
internal static partial class StickBundles
{
    /// <summary>Bundles that are looked at; those of later names are left alone.</summary>
    public const int Most = 64;

    private const int LongestName = 80;

    /// <summary>Reads them, in the order of their names.</summary>
    public static async Task<IReadOnlyList<StickBundle>> ReadAsync(string folder, CancellationToken cancellationToken)
    {
        var found = new List<StickBundle>();
        // As many again of other entries are no reason to stop, a folder without an end is.
        var files = Directory.EnumerateFiles(folder).Take(Most * Most).Where(path => path.EndsWith(BundleRules.Extension, StringComparison.OrdinalIgnoreCase) && Path.GetFileName(path)[0] != '.');
        foreach (var path in files.Order(StringComparer.Ordinal).Take(Most)) found.Add(await ReadOneAsync(path, cancellationToken));
        return found;
    }

    /// <summary>Opens a regular file; nothing that could block, or lead elsewhere.</summary>
    /// <exception cref="IOException">It cannot be opened, or is no regular file.</exception>
    public static SafeFileHandle Open(string path)
    {
        const int readOnly = 0, nonBlocking = 0x800, closeOnExec = 0x80000;
        var noFollow = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x8000 : 0x20000; // O_NOFOLLOW
        var handle = open(path, readOnly | nonBlocking | closeOnExec | noFollow);
        if (handle.IsInvalid) throw new IOException($"{Path.GetFileName(path)} cannot be opened: {Marshal.GetLastPInvokeErrorMessage()}");
        const int current = 1;
        if (lseek(handle, 0, current) == 0) return handle;
        handle.Dispose();
        throw new IOException($"{Path.GetFileName(path)} is no regular file");
    }

    private static async Task<StickBundle> ReadOneAsync(string path, CancellationToken cancellationToken)
    {
        var name = Shown(Path.GetFileName(path));
        try
        {
            await using var source = await BundleSource.OpenAsync(new FileStream(Open(path), FileAccess.Read, 64 << 10), name, cancellationToken);
            return new StickBundle(path, name, source.Claims, null);
        }
        catch (UserError e)
        {
            return new StickBundle(path, name, null, e.Message);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new StickBundle(path, name, null, $"{name} cannot be read: {Shown(e.Message)}");
        }
    }

    /// <summary>Names come from strangers and go to terminals.</summary>
    private static string Shown(string text) => new(text.Take(LongestName).Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '?' : c).ToArray());

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle open(string path, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial long lseek(SafeFileHandle handle, long offset, int whence);
}
