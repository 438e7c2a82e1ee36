// wayclear-service.exe: what the Service Control Manager talks to. It starts Python as a child, keeps its log, and closes
// its standard input when the service is to stop (see service_child.py). Nothing else.
//
//     wayclear-service.exe LOGFILE ARGUMENT...        for example ...\serve.log serve --config ...
//
// Compiled by install.ps1 with the C# compiler of the .NET Framework 4, which is part of every Windows Server since 2016:
// no program of a third party has to be brought along and trusted. C# 5, because that is what this compiler knows.

using System;
using System.Diagnostics;
using System.IO;
using System.ServiceProcess;
using System.Text;

public sealed class ServiceHost : ServiceBase
{
    private const int StopMilliseconds = 12000; // the child ends itself after 10 s
    private const long LogBytes = 10000000;     // then it becomes LOGFILE.old

    private readonly string[] arguments;
    private readonly object turn = new object();
    private Process child;
    private volatile bool stopping;

    private ServiceHost(string[] arguments)
    {
        this.arguments = arguments;
        ServiceName = "wayclear";
        CanShutdown = true;
        AutoLog = false; // wayclear writes its own entries, with its own ids
    }

    public static int Main(string[] arguments)
    {
        if (arguments.Length < 2)
        {
            Console.Error.WriteLine("usage: wayclear-service.exe LOGFILE ARGUMENT...");
            return 3;
        }
        ServiceBase.Run(new ServiceHost(arguments));
        return 0;
    }

    protected override void OnStart(string[] unused)
    {
        string place = AppDomain.CurrentDomain.BaseDirectory;
        string python = Environment.GetEnvironmentVariable("WAYCLEAR_PYTHON"); // for trying it out elsewhere
        var command = new StringBuilder("-I " + Quoted(Path.Combine(place, "service_child.py")));
        for (int i = 1; i < arguments.Length; i++)
        {
            command.Append(' ').Append(Quoted(arguments[i]));
        }
        child = new Process();
        child.StartInfo = new ProcessStartInfo(
            python ?? Path.Combine(place, "python", "python.exe"), command.ToString())
        {
            UseShellExecute = false,
            CreateNoWindow = true,
            WorkingDirectory = place,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        child.EnableRaisingEvents = true;
        child.OutputDataReceived += (sender, line) => Log(line.Data);
        child.ErrorDataReceived += (sender, line) => Log(line.Data);
        child.Exited += (sender, unusedToo) => ChildHasEnded();
        child.Start();
        child.BeginOutputReadLine();
        child.BeginErrorReadLine();
    }

    protected override void OnStop()
    {
        stopping = true;
        child.StandardInput.Close();
        if (!child.WaitForExit(StopMilliseconds))
        {
            child.Kill();
        }
        child.WaitForExit(); // until its last words have been read
    }

    protected override void OnShutdown()
    {
        OnStop();
    }

    // A host that goes away without having said "stopped" is what the service's recovery actions are for.
    private void ChildHasEnded()
    {
        if (!stopping)
        {
            child.WaitForExit(); // until its last words have been read
            Log("wayclear has ended by itself with code " + child.ExitCode);
            Environment.Exit(1);
        }
    }

    private void Log(string line)
    {
        if (line == null)
        {
            return;
        }
        lock (turn)
        {
            try
            {
                var file = new FileInfo(arguments[0]);
                if (file.Exists && file.Length > LogBytes)
                {
                    File.Delete(arguments[0] + ".old");
                    File.Move(arguments[0], arguments[0] + ".old");
                }
                File.AppendAllText(arguments[0], line + "\n", new UTF8Encoding(false));
            }
            catch (IOException)
            {
            }
            catch (UnauthorizedAccessException)
            {
            }
        }
    }

    // As the C runtime takes a command line apart: a backslash counts only before a quotation mark. Paths have none.
    private static string Quoted(string argument)
    {
        if (argument.IndexOf('"') >= 0)
        {
            throw new ArgumentException("an argument with a quotation mark");
        }
        int trailing = argument.Length - argument.TrimEnd('\\').Length;
        return '"' + argument + new string('\\', trailing) + '"';
    }
}
