using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Appliance.ImageBuilder.Disk;

/// <summary>Where a sparse file holds data (lseek(2), SEEK_DATA and SEEK_HOLE).</summary>
internal static partial class DataExtents
{
    private const int SeekData = 3, SeekHole = 4;

    /// <summary>The runs of a file that are no holes, in order: first byte, and first byte after.</summary>
    public static IEnumerable<(long Start, long End)> Of(SafeFileHandle handle)
    {
        var size = RandomAccess.GetLength(handle);
        for (long position = 0; position < size;)
        {
            var data = lseek(handle, position, SeekData);
            if (data < 0) yield break; // ENXIO: nothing but a hole up to the end
            var hole = lseek(handle, data, SeekHole);
            if (hole < 0) hole = size;
            yield return (data, hole);
            position = hole;
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial long lseek(SafeFileHandle handle, long offset, int whence);
}
