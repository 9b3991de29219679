using System.Diagnostics;

namespace Supervisor.Tests.Boot.Pi;

/// <summary>A FAT file system in an image, read with mtools.</summary>
internal sealed class PiFat(string image, long offset = 0) : IPiFiles
{
    public byte[]? Read(string path)
    {
        using var process = Process.Start(new ProcessStartInfo("mtype", ["-i", $"{image}@@{offset}", $"::/{path}"]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var errors = process.StandardError.ReadToEndAsync();
        using var content = new MemoryStream();
        process.StandardOutput.BaseStream.CopyTo(content);
        process.WaitForExit();
        if (process.ExitCode == 0) return content.ToArray();
        return errors.Result.Contains("not found", StringComparison.Ordinal) ? null : throw new InvalidDataException($"mtype {path}: {errors.Result}");
    }
}
