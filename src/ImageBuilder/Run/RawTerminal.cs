using System.Diagnostics;

namespace Appliance.ImageBuilder.Run;

/// <summary>Passes key strokes on as they are typed; the terminal is as before when this is disposed. Ctrl-C still interrupts.</summary>
internal sealed class RawTerminal : IDisposable
{
    private readonly CancellationTokenSource _end = new();
    private readonly string _settings;

    public RawTerminal(Func<ReadOnlyMemory<byte>, Task> onKeys)
    {
        _settings = Stty("-g").Trim();
        Stty("-icanon", "-echo", "min", "1");
        _ = Task.Run(async () =>
        {
            var buffer = new byte[256];
            await using var input = Console.OpenStandardInput();
            int read;
            while (!_end.IsCancellationRequested && (read = await input.ReadAsync(buffer, _end.Token)) > 0) await onKeys(buffer.AsMemory(0, read));
        });
    }

    public void Dispose()
    {
        _end.Cancel();
        Stty(_settings);
    }

    private static string Stty(params string[] arguments)
    {
        // stty works on the terminal it inherits as standard input.
        using var process = Process.Start(new ProcessStartInfo("stty", arguments) { RedirectStandardOutput = true })!;
        var text = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return text;
    }
}
