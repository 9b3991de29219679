using System.ComponentModel;
using System.Diagnostics;
using Appliance.Core;
using Appliance.ImageBuilder.Tools;

namespace Appliance.ImageBuilder.Flash;

/// <summary>An image that the system's <c>xz</c> decompresses, on all cores where the file was made of several blocks.</summary>
internal sealed class XzContent : IImageContent
{
    private readonly Stream _compressed;
    private readonly Process _process;
    private readonly CancellationTokenSource _end = new();
    private readonly Task _feeding;
    private readonly Task<string> _errors;
    private readonly PlainContent _plain;

    private XzContent(Stream compressed, Process process, long? size)
    {
        (_compressed, _process, Size) = (compressed, process, size);
        _plain = new PlainContent(process.StandardOutput.BaseStream, size);
        _errors = process.StandardError.ReadToEndAsync();
        _feeding = Task.Run(FeedAsync);
    }

    public long? Size { get; }

    /// <summary>Starts xz.</summary>
    /// <param name="compressed">The file.</param>
    /// <param name="path">Where it lies, to ask its index for the size; null when it is not at hand.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    /// <exception cref="UserError">xz is not installed, or it is no xz file.</exception>
    public static async Task<XzContent> OpenAsync(Stream compressed, string? path, CancellationToken cancellationToken)
    {
        var size = path is null ? null : await SizeAsync(path, cancellationToken);
        var start = new ProcessStartInfo("xz", ["--decompress", "--stdout", "--threads=0"]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        try
        {
            return new XzContent(compressed, Process.Start(start)!, size);
        }
        catch (Win32Exception e)
        {
            throw new UserError($"xz cannot be started: {e.Message}", "Install the package xz-utils.", e);
        }
    }

    public async ValueTask<int> ReadAsync(long position, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var read = await _plain.ReadAsync(position, buffer, cancellationToken);
        if (read < buffer.Length) await RequireSuccessAsync(cancellationToken);
        return read;
    }

    public async Task FinishAsync(CancellationToken cancellationToken)
    {
        await _plain.FinishAsync(cancellationToken);
        await RequireSuccessAsync(cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        if (!_process.HasExited) _process.Kill();
        await _feeding.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _process.WaitForExitAsync();
        _process.Dispose();
        _end.Dispose();
        await _compressed.DisposeAsync();
    }

    private async Task FeedAsync()
    {
        await using var input = _process.StandardInput.BaseStream;
        try
        {
            await _compressed.CopyToAsync(input, 1 << 20, _end.Token);
        }
        catch (IOException) when (_process.WaitForExit(TimeSpan.FromSeconds(10)) && _process.ExitCode != 0)
        {
            // xz has given up and says why itself.
        }
    }

    private async Task RequireSuccessAsync(CancellationToken cancellationToken)
    {
        await _feeding.WaitAsync(cancellationToken);
        await _process.WaitForExitAsync(cancellationToken);
        if (_process.ExitCode != 0) throw Damaged((await _errors).Trim());
    }

    private static async Task<long?> SizeAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            // "totals", then streams, blocks, compressed and uncompressed bytes (xz(1), Robot mode).
            var lines = await ToolRunner.RunAsync("xz", ["--robot", "--list", path], cancellationToken: cancellationToken);
            var totals = lines.Split('\n').First(line => line.StartsWith("totals\t", StringComparison.Ordinal)).Split('\t');
            return long.Parse(totals[4], System.Globalization.CultureInfo.InvariantCulture);
        }
        catch (ToolFailure e)
        {
            throw Damaged(e.Tail.Trim());
        }
    }

    private static UserError Damaged(string reason) => new($"The image is damaged: it is no whole xz file ({reason}).", "Copy or build it again.");
}
