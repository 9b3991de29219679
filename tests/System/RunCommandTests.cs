using System.Diagnostics;
using System.Text;

namespace Appliance.SystemTests;

/// <summary>What a person does: <c>appliance run</c>, a look at the page, Ctrl-C, and the same again.</summary>
public sealed class RunCommandTests : IDisposable
{
    private static readonly TimeSpan BootLimit = TimeSpan.FromMinutes(10);
    private readonly string _folder = Directory.CreateTempSubdirectory("run").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public Task Run_ForwardsThePage_AndShutsDownOnCtrlC() => RunUntilThePageAnswersAsync();

    [Fact(Explicit = true)]
    public async Task Run_KeepsTheMachineInTheDataFile()
    {
        var first = await RunUntilThePageAnswersAsync();
        var second = await RunUntilThePageAnswersAsync();

        // The certificate is made at the first boot: the same one means the same machine.
        Assert.Equal(first, second);
    }

    /// <summary>Thumbprint of the page's certificate.</summary>
    private async Task<string> RunUntilThePageAnswersAsync()
    {
        var port = ImageBuilder.Run.RunCommand.FreePort(29443);
        using var run = Product.Start("run", Product.Image, "--data", Path.Combine(_folder, "state.qcow2"), "--port", $"{port}");
        var said = new StringBuilder();
        var output = Collect(run.StandardOutput, said);
        var errors = Collect(run.StandardError, said);
        try
        {
            var thumbprint = await WaitForThePageAsync(run, port, said);
            using (var interrupt = Process.Start("kill", ["-INT", $"{run.Id}"])) await interrupt.WaitForExitAsync(TestContext.Current.CancellationToken);
            await run.WaitForExitAsync(TestContext.Current.CancellationToken);
            await Task.WhenAll(output, errors);

            Assert.True(run.ExitCode == 0, said.ToString());
            Assert.Contains("The machine is off.", said.ToString(), StringComparison.Ordinal);
            Assert.Contains($"https://localhost:{port}/", said.ToString(), StringComparison.Ordinal);
            return thumbprint;
        }
        finally
        {
            // Only when the above failed: let it take its machine with it.
            if (!run.HasExited) using (var end = Process.Start("kill", ["-INT", $"{run.Id}"])) await run.WaitForExitAsync(CancellationToken.None);
            await File.WriteAllTextAsync(Path.Combine(Product.Logs, "run.log"), said.ToString(), CancellationToken.None);
        }
    }

    private static async Task<string> WaitForThePageAsync(Process run, int port, StringBuilder said)
    {
        var thumbprint = "";
        using var handler = new HttpClientHandler { ServerCertificateCustomValidationCallback = (_, certificate, _, _) => (thumbprint = certificate!.Thumbprint).Length > 0 };
        using var http = new HttpClient(handler) { Timeout = TimeSpan.FromSeconds(20) };
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(BootLimit);
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1));
        while (await timer.WaitForNextTickAsync(limit.Token))
        {
            Assert.False(run.HasExited, said.ToString());
            try
            {
                using var answer = await http.GetAsync(new Uri($"https://localhost:{port}/healthz"), limit.Token);
                if (answer.IsSuccessStatusCode) return thumbprint;
            }
            catch (Exception e) when (e is HttpRequestException || (e is OperationCanceledException && !limit.IsCancellationRequested))
            {
                // It still boots.
            }
        }
        throw new UnreachableException();
    }

    private static async Task Collect(StreamReader reader, StringBuilder said)
    {
        while (await reader.ReadLineAsync() is { } line)
            lock (said) said.AppendLine(line);
    }
}
