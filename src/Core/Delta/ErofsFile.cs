namespace Appliance.Core.Delta;

/// <summary>A regular file inside an EROFS image whose bytes lie in one piece: its path and where they are.</summary>
internal readonly record struct ErofsFile(string Path, long Offset, long Length);
