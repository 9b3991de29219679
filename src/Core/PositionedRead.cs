using Microsoft.Win32.SafeHandles;

namespace Appliance.Core;

/// <summary>Reads from a place of a file or block device until a buffer is full; a single read(2) may give less.</summary>
public static class PositionedRead
{
    /// <summary>Fills a buffer as far as the file goes.</summary>
    /// <param name="file">The file; its own position does not count.</param>
    /// <param name="buffer">Gets the bytes.</param>
    /// <param name="offset">Where in the file to begin, in bytes.</param>
    /// <returns>How many bytes there were; fewer than the buffer holds only at the file's end.</returns>
    /// <exception cref="IOException">The file cannot be read there.</exception>
    public static int ReadUpTo(this SafeFileHandle file, Span<byte> buffer, long offset)
    {
        var filled = 0;
        while (filled < buffer.Length)
        {
            var read = RandomAccess.Read(file, buffer[filled..], offset + filled);
            if (read == 0) break;
            filled += read;
        }
        return filled;
    }
}
