using Appliance.Core;
using Microsoft.Win32.SafeHandles;

namespace Appliance.UpdateClient.Install;

/// <summary>A region that is written from front to back and synced now and then, and whose faults are told to people.</summary>
internal sealed class BlockTarget : IDisposable
{
    private readonly SafeFileHandle _handle;
    private readonly SlotRegion _region;

    private BlockTarget(SafeFileHandle handle, SlotRegion region) => (_handle, _region) = (handle, region);

    /// <summary>Opens a region that must hold a number of bytes.</summary>
    /// <exception cref="UserError">It is not there, read-only, or too small.</exception>
    public static BlockTarget Open(SlotRegion region, long needed)
    {
        var isDevice = region.Path.StartsWith("/dev/", StringComparison.Ordinal);
        SafeFileHandle? handle = null;
        try
        {
            handle = File.OpenHandle(region.Path, isDevice ? FileMode.Open : FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite);
            var room = region.Size ?? (isDevice ? NativeFile.SizeOf(handle) - region.Offset : long.MaxValue);
            if (room >= needed) return new BlockTarget(handle, region);
            throw new UserError($"{region.Path} holds {ByteSize.Format(room)}, and {ByteSize.Format(needed)} have to be written to it.", "The image has outgrown this device's partitions: flash it anew, or publish a smaller image.");
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new UserError($"There is no {region.Path} to write to.", "Check the slot's device.", e);
        }
        catch (Exception e) when (e is UnauthorizedAccessException || e is IOException && NativeFile.IsReadOnly((IOException)e))
        {
            throw new UserError($"{region.Path} cannot be written: {e.Message}", "It is read-only or belongs to somebody else: check the write protection and the permissions.", e);
        }
        catch
        {
            handle?.Dispose();
            throw;
        }
    }

    /// <summary>Reads what is there; fewer bytes than asked for only at the end.</summary>
    public int Read(Span<byte> buffer, long offset) => _handle.ReadUpTo(buffer, _region.Offset + offset);

    /// <summary>Writes, and has the kernel begin to put it on the disk.</summary>
    /// <exception cref="UserError">The disk is full or failing.</exception>
    public void Write(ReadOnlySpan<byte> bytes, long offset)
    {
        try
        {
            RandomAccess.Write(_handle, bytes, _region.Offset + offset);
            NativeFile.StartWriteback(_handle, _region.Offset + offset, bytes.Length);
        }
        catch (IOException e)
        {
            throw Explain(e);
        }
    }

    /// <summary>Waits until everything is on the disk.</summary>
    /// <exception cref="UserError">The disk is full or failing.</exception>
    public void Sync()
    {
        try
        {
            NativeFile.SyncData(_handle);
        }
        catch (IOException e)
        {
            throw Explain(e);
        }
    }

    /// <summary>Cuts a plain file to its content; devices and regions of images stay as they are.</summary>
    public void Trim(long size)
    {
        if (_region is { Offset: 0, Size: null } && !_region.Path.StartsWith("/dev/", StringComparison.Ordinal)) RandomAccess.SetLength(_handle, size);
    }

    public void Dispose() => _handle.Dispose();

    private UserError Explain(IOException e) => NativeFile.IsDiskFull(e)
        ? new UserError($"{_region.Path} is full.", "Free space there; what has been written is kept, and the update goes on from it.", e)
        : new UserError($"Writing {_region.Path} failed: {e.Message}", "The storage may be failing: check the kernel's messages.", e);
}
