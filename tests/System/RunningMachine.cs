using System.Text;
using System.Text.Json.Nodes;
using Appliance.ImageBuilder.Run;

namespace Appliance.SystemTests;

/// <summary>A booted image with its serial log, its page and a shell inside.</summary>
internal sealed class RunningMachine : IAsyncDisposable
{
    /// <summary>Generous: without KVM a loaded machine boots in minutes.</summary>
    private static readonly TimeSpan BootLimit = TimeSpan.FromMinutes(20);

    private readonly VirtualMachine _machine;
    private readonly HttpClient _http;
    private readonly StringBuilder _serial;
    private readonly string _name;

    private RunningMachine(string name, VirtualMachine machine, GuestShell shell, int port, StringBuilder serial)
    {
        (_name, _machine, Shell, _serial) = (name, machine, shell, serial);
        // The device's self-signed certificate: which one it is is looked at by a test of its own.
        Page = new Uri($"https://127.0.0.1:{port}/");
        var handler = new HttpClientHandler { ServerCertificateCustomValidationCallback = (_, certificate, _, _) => (Certificate = certificate!.Thumbprint).Length > 0 };
        _http = new HttpClient(handler) { BaseAddress = Page, Timeout = TimeSpan.FromSeconds(20) };
        _http.DefaultRequestHeaders.ConnectionClose = true;
    }

    public Uri Page { get; }

    /// <summary>Thumbprint of the certificate the page showed last.</summary>
    public string Certificate { get; private set; } = "";

    public GuestShell Shell { get; }

    public Task Ended => _machine.Ended;

    public string Serial
    {
        get { lock (_serial) return _serial.ToString(); }
    }

    /// <summary>Boots an image.</summary>
    /// <param name="name">Name of the serial log.</param>
    /// <param name="image">The disk image, which stays as it is.</param>
    /// <param name="state">File that takes all writes and outlasts the machine, or null.</param>
    /// <param name="watchdog">Whether the hardware watchdog resets the machine.</param>
    /// <param name="usb">Whether it has a USB port.</param>
    /// <param name="clock">What its hardware clock says at power-on, and nobody else: it reaches no network then. Null for the host's time.</param>
    /// <param name="ownTime">Whether time passes in it as it computes.</param>
    public static async Task<RunningMachine> StartAsync(string name, string image, string? state = null, bool watchdog = false, bool usb = false, DateTime? clock = null, bool ownTime = false)
    {
        File.Delete(LogOf(name));
        var port = RunCommand.FreePort(28443);
        var serial = new StringBuilder();
        var machine = await VirtualMachine.StartAsync(new MachineOptions { Image = image, Port = port, GuestShell = true, SerialLog = LogOf(name), State = state, Watchdog = watchdog, Usb = usb, OwnTime = ownTime, Clock = clock, Alone = clock is not null }, (bytes, count) =>
        {
            lock (serial) serial.Append(Encoding.UTF8.GetString(bytes, 0, count));
        }, TestContext.Current.CancellationToken);
        // QEMU makes the shell's socket before it starts the machine.
        while (true)
        {
            try
            {
                return new RunningMachine(name, machine, await machine.OpenShellAsync(TestContext.Current.CancellationToken), port, serial);
            }
            catch (System.Net.Sockets.SocketException) when (!machine.Ended.IsCompleted)
            {
                await Task.Yield();
            }
        }
    }

    /// <summary>The serial console is written here while the machine runs, and stays after a failure.</summary>
    private static string LogOf(string name) => Path.Combine(Product.Logs, $"{name}.log");

    /// <summary>Waits until the page says healthy and the boot loader has been told so.</summary>
    public Task WaitForGoodBootAsync() => WaitAsync("a healthy, blessed boot", async () => await StatusAsync() is { } status && (string?)status["health"] == "healthy" && (string?)status["bootState"] == "good");

    /// <summary>Reboots from inside and waits for the next good boot.</summary>
    public async Task RebootAsync()
    {
        var boot = await RunAsync("cat /proc/sys/kernel/random/boot_id");
        await RunAsync("(sleep 3; systemctl reboot) >/dev/null 2>&1 &"); // the shell goes down with the machine, and its answer must be out
        await WaitAsync("the next boot", async () =>
        {
            if (await StatusAsync() is null) return false;
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
            try
            {
                return await Shell.RunAsync("cat /proc/sys/kernel/random/boot_id", limit.Token) is (0, { } next) && next != boot;
            }
            catch (Exception e) when (e is OperationCanceledException or TimeoutException)
            {
                return false;
            }
        });
        await WaitForGoodBootAsync();
    }

    /// <summary>Takes the power away and gives it back.</summary>
    public async Task PullThePlugAsync()
    {
        await _machine.ResetAsync(TestContext.Current.CancellationToken);
        await WaitAsync("the page to go away", async () => await StatusAsync() is null);
    }

    /// <summary>Puts a USB stick in.</summary>
    public Task PlugInAsync(string image) => _machine.PlugInAsync(image, TestContext.Current.CancellationToken);

    /// <summary>Pulls the USB stick out.</summary>
    public Task PullOutAsync() => _machine.PullOutAsync(TestContext.Current.CancellationToken);

    /// <summary>Shuts down in good order.</summary>
    public async Task ShutDownAsync()
    {
        await _machine.PowerDownAsync(TestContext.Current.CancellationToken);
        await WaitAsync("the end of the machine", () => Task.FromResult(Ended.IsCompleted));
    }

    /// <summary>What the supervisor says on the bus (appliancectl status), or null while it says nothing.</summary>
    public async Task<JsonNode?> ControlAsync()
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(30));
        try
        {
            var (exitCode, text) = await Shell.RunAsync("timeout 25 appliancectl status --json 2>/dev/null", limit.Token);
            Assert.True(exitCode != 127, "the image has no appliancectl");
            return exitCode == 0 ? JsonNode.Parse(text) : null;
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException or System.Text.Json.JsonException && !TestContext.Current.CancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    /// <summary>The status, or null while the page does not answer.</summary>
    public async Task<JsonNode?> StatusAsync()
    {
        try
        {
            return JsonNode.Parse(await _http.GetStringAsync("api/v1/status"));
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or IOException)
        {
            return null;
        }
    }

    /// <summary>Gets something from the page.</summary>
    public Task<HttpResponseMessage> SendAsync(HttpMethod method, string path) => _http.SendAsync(new HttpRequestMessage(method, path));

    /// <summary>Sends a form, as whoever has the token.</summary>
    public Task<HttpResponseMessage> PostAsync(string path, string? token, params (string Name, string Value)[] fields)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new FormUrlEncodedContent(fields.Select(field => KeyValuePair.Create(field.Name, field.Value))) };
        if (token is not null) request.Headers.Authorization = new("Bearer", token);
        return _http.SendAsync(request);
    }

    /// <summary>Runs a command in the machine that must succeed, and gives its output.</summary>
    public async Task<string> RunAsync(string command)
    {
        var (exitCode, output) = await Shell.RunAsync(command, TestContext.Current.CancellationToken);
        Assert.True(exitCode == 0, $"{command}: exit code {exitCode}\n{output}");
        return output;
    }

    /// <summary>Runs appliancectl once the device has nothing else to do: it has looks of its own, and does one thing at a time.</summary>
    public async Task<(int ExitCode, string Said)> AskAsync(string command)
    {
        var answer = (ExitCode: 0, Said: "");
        await WaitAsync($"an answer to {command}", async () =>
        {
            answer = await Shell.RunAsync($"appliancectl {command}", TestContext.Current.CancellationToken);
            return !answer.Said.Contains("is under way", StringComparison.Ordinal);
        });
        return answer;
    }

    /// <summary>Begins a command whose end nobody sees: it takes long, or the machine goes down before it can answer.</summary>
    public Task BeginAsync(string command) => RunAsync($"({command} >/dev/null 2>&1 &)");

    /// <summary>Waits until something is so.</summary>
    public async Task WaitAsync(string what, Func<Task<bool>> condition)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(BootLimit);
        // Each look costs an emulated machine a handshake, or the start of a program: seldom enough to let it work.
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(3));
        try
        {
            while (!await condition()) await timer.WaitForNextTickAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            Assert.Fail($"{what} did not come; the serial log is {LogOf(_name)}; it ends with\n{Serial[^Math.Min(4000, Serial.Length)..]}\nstatus: {await StatusAsync()}\non the bus: {await ControlAsync()}");
        }
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        Shell.Dispose();
        await _machine.DisposeAsync();
    }
}
