#Requires -Version 5.1
#Requires -RunAsAdministrator
<#
.SYNOPSIS
Installs or updates wayclear as a Windows service, from the bundle that this script lies in. Nothing is fetched.

.DESCRIPTION
The service runs as the virtual account NT SERVICE\wayclear, which exists for this service only, has no password and no
rights. It is not NETWORK SERVICE on purpose: that account's certificate store holds the connector's key.

Written after Microsoft's documentation and never run on Windows by the project. Read it before you run it.

.EXAMPLE
.\install.ps1

.EXAMPLE
.\install.ps1 -TextfileDirectory 'C:\Program Files\windows_exporter\textfile_inputs'
#>
[CmdletBinding(SupportsShouldProcess = $true)]
param(
    [string] $Program = (Join-Path $env:ProgramFiles 'wayclear'),
    [string] $Data = (Join-Path $env:ProgramData 'wayclear'),
    # Where windows_exporter looks for *.prom files; empty for none.
    [string] $TextfileDirectory = ''
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'
$name = 'wayclear'
$account = "NT SERVICE\$name"
# By their numbers, because their names differ between the languages of Windows.
$system = '*S-1-5-18'
$administrators = '*S-1-5-32-544'
$networkService = '*S-1-5-20'

function Invoke-Checked {
    param([string] $Command, [string[]] $Arguments)
    & $Command @Arguments
    if ($LASTEXITCODE -ne 0) { throw "$Command ended with $LASTEXITCODE" }
}

function Test-Bundle {
    foreach ($line in Get-Content -LiteralPath (Join-Path $PSScriptRoot 'SHA256SUMS')) {
        $wanted, $file = $line -split '  ', 2
        $found = (Get-FileHash -Algorithm SHA256 -LiteralPath (Join-Path $PSScriptRoot $file)).Hash
        if ($found -ne $wanted) { throw "$file is not the file that the bundle was made with" }
    }
}

function Copy-Program {
    $service = Get-Service -Name $name -ErrorAction SilentlyContinue
    if ($service) { Stop-Service -Name $name }
    # robocopy: 0 to 7 are kinds of success
    & robocopy.exe (Join-Path $PSScriptRoot 'program') $Program /MIR /NFL /NDL /NJH /NJS /NP | Out-Null
    if ($LASTEXITCODE -ge 8) { throw "robocopy ended with $LASTEXITCODE" }
    # The compiler of the .NET Framework, part of Windows: the host is made from the source beside this script.
    $compiler = Join-Path $env:WINDIR 'Microsoft.NET\Framework64\v4.0.30319\csc.exe'
    Invoke-Checked $compiler @('/nologo', '/optimize', '/target:exe', '/reference:System.ServiceProcess.dll',
        "/out:$Program\wayclear-service.exe", "$Program\ServiceHost.cs")
}

function Set-WayclearService {
    $image = '"{0}\wayclear-service.exe" "{1}\state\serve.log" serve --config "{1}\wayclear.toml" --state "{1}\state"' -f $Program, $Data
    if ($TextfileDirectory) { $image += ' --textfile "{0}"' -f $TextfileDirectory.TrimEnd('\') }
    if (Get-Service -Name $name -ErrorAction SilentlyContinue) {
        Set-ItemProperty -LiteralPath "HKLM:\SYSTEM\CurrentControlSet\Services\$name" -Name ImagePath -Value $image
    }
    else {
        New-Service -Name $name -BinaryPathName $image -StartupType Automatic -DisplayName 'wayclear' `
            -Description 'Tells whether a Microsoft Entra connector works on this network.' | Out-Null
    }
    Invoke-Checked sc.exe @('config', $name, 'obj=', $account, 'start=', 'delayed-auto')
    # Everything that a service account could do besides is taken away, impersonation among it.
    Invoke-Checked sc.exe @('privs', $name, 'SeChangeNotifyPrivilege')
    # A host that ends by itself is started again, after 10 s, for ever; counted anew every day.
    Invoke-Checked sc.exe @('failure', $name, 'reset=', '86400', 'actions=', 'restart/10000')
}

function Set-Rights {
    $state = Join-Path $Data 'state'
    New-Item -ItemType Directory -Force -Path $Data, $state | Out-Null
    # ProgramData lets every user write new files; the configuration decides what counts as genuine, so here nobody may.
    Invoke-Checked icacls.exe @($Data, '/inheritance:r', '/grant:r', "${system}:(OI)(CI)F", "${administrators}:(OI)(CI)F",
        "${account}:(OI)(CI)RX", "${networkService}:(OI)(CI)RX", '/Q')
    # The history names hosts and addresses: for the service and administrators.
    Invoke-Checked icacls.exe @($state, '/inheritance:r', '/grant:r', "${system}:(OI)(CI)F", "${administrators}:(OI)(CI)F",
        "${account}:(OI)(CI)M", '/Q')
    if ($TextfileDirectory) {
        Invoke-Checked icacls.exe @($TextfileDirectory.TrimEnd('\'), '/grant', "${account}:(OI)(CI)M", '/Q')
    }
    $config = Join-Path $Data 'wayclear.toml'
    if (-not (Test-Path -LiteralPath $config)) {
        Set-Content -LiteralPath $config -Encoding Ascii -Value @('schema = "wayclear.config/1"',
            '# Every key: wayclear.example.toml in the bundle, docs/serve.md')
    }
}

function Register-EventSource {
    # EventCreate.exe is part of Windows and holds the text "%1" for the ids 1 to 1000.
    $key = "HKLM:\SYSTEM\CurrentControlSet\Services\EventLog\Application\$name"
    New-Item -Path $key -Force | Out-Null
    New-ItemProperty -LiteralPath $key -Name EventMessageFile -PropertyType ExpandString -Force `
        -Value '%SystemRoot%\System32\EventCreate.exe' | Out-Null
    New-ItemProperty -LiteralPath $key -Name TypesSupported -PropertyType DWord -Force -Value 7 | Out-Null
}

Test-Bundle
if ($PSCmdlet.ShouldProcess($Program, 'install wayclear')) {
    Copy-Program
    Set-WayclearService
    Set-Rights
    Register-EventSource
    Invoke-Checked (Join-Path $Program 'python\python.exe') @('-I', '-m', 'probe', 'validate', (Join-Path $Data 'wayclear.toml'))
    Start-Service -Name $name
    Get-Service -Name $name
}
