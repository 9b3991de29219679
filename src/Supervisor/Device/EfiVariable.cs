using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Appliance.Supervisor.Device;

/// <summary>The boot loader interface's EFI variables (systemd.io/BOOT_LOADER_INTERFACE), as files of efivarfs below a root folder.</summary>
internal static partial class EfiVariable
{
    /// <summary>The counted entry that runs, a path on the ESP with backslashes; missing when this boot is not counted.</summary>
    public const string BootCountPath = "LoaderBootCountPath";

    /// <summary>The id of the entry that runs: its file name without the counter.</summary>
    public const string EntrySelected = "LoaderEntrySelected";

    /// <summary>The entry or pattern that boots before any other.</summary>
    public const string EntryDefault = "LoaderEntryDefault";

    /// <summary>The same, for one boot.</summary>
    public const string EntryOneShot = "LoaderEntryOneShot";

    private const string Vendor = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";
    private const int AttributeBytes = 4, MostBytes = 4096;

    // FS_IOC_GETFLAGS and FS_IOC_SETFLAGS of 64-bit kernels, and FS_IMMUTABLE_FL.
    private const nuint GetFlags = 0x80086601, SetFlags = 0x40086602;
    private const int Immutable = 0x10;

    /// <summary>Where a variable is.</summary>
    public static string PathOf(string root, string name) => Path.Combine(root, $"sys/firmware/efi/efivars/{name}-{Vendor}");

    /// <summary>The text of a variable; null when it is missing or cannot be read.</summary>
    public static string? TryReadText(string root, string name)
    {
        try
        {
            var file = new FileInfo(PathOf(root, name));
            if (!file.Exists || file.Length > MostBytes) return null;
            var bytes = File.ReadAllBytes(file.FullName);
            return bytes.Length <= AttributeBytes ? null : Encoding.Unicode.GetString(bytes.AsSpan(AttributeBytes)).TrimEnd('\0');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Writes a text variable, kept over restarts.</summary>
    /// <exception cref="IOException">The firmware takes no variables.</exception>
    public static void Write(string root, string name, string text)
    {
        // NON_VOLATILE, BOOTSERVICE_ACCESS and RUNTIME_ACCESS; efivarfs takes attributes and value in one write.
        byte[] value = [7, 0, 0, 0, .. Encoding.Unicode.GetBytes(text + "\0")];
        Delete(root, name);
        // Unbuffered, and no position given: efivarfs does not seek.
        using var file = new FileStream(PathOf(root, name), FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
        file.Write(value);
    }

    /// <summary>Removes a variable; true when it was there.</summary>
    public static bool Delete(string root, string name)
    {
        var path = PathOf(root, name);
        if (!File.Exists(path)) return false;
        using (var handle = File.OpenHandle(path)) MakeMutable(handle);
        File.Delete(path);
        return true;
    }

    /// <summary>efivarfs makes every variable it does not know immutable, against a careless rm.</summary>
    private static void MakeMutable(SafeFileHandle handle)
    {
        var flags = 0;
        if (ioctl(handle, GetFlags, ref flags) != 0 || (flags & Immutable) == 0) return;
        flags &= ~Immutable;
        if (ioctl(handle, SetFlags, ref flags) != 0) throw new IOException($"the variable cannot be made mutable: {Marshal.GetLastPInvokeErrorMessage()}");
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ioctl(SafeFileHandle handle, nuint request, ref int flags);
}
