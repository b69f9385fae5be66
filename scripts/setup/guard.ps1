# What has to hold before anything is changed.

function Get-HostFacts {
    # Where this runs. Every other function asks here. The language mode is read first, and the rest by means that
    # constrained language allows.
    $mode = [string]$ExecutionContext.SessionState.LanguageMode
    $edition = 'Desktop'
    if ($PSVersionTable.Contains('PSEdition')) {
        $edition = [string]$PSVersionTable.PSEdition
    }
    $system = 'Other'
    if ($env:OS -eq 'Windows_NT') {
        $system = 'Windows'
    }
    $elevated = $false
    $account = "$env:USERDOMAIN\$env:USERNAME"
    $sid = ''
    if ($mode -eq 'FullLanguage' -and $system -eq 'Windows') {
        $identity = [Security.Principal.WindowsIdentity]::GetCurrent()
        $principal = New-Object Security.Principal.WindowsPrincipal($identity)
        $elevated = $principal.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)
        $account = [string]$identity.Name
        $sid = [string]$identity.User.Value
    }
    return @{
        System = $system
        Edition = $edition
        Version = [string]$PSVersionTable.PSVersion
        Is64BitSystem = ($env:PROCESSOR_ARCHITECTURE -ne 'x86' -or [bool]$env:PROCESSOR_ARCHITEW6432)
        Is64BitProcess = ($env:PROCESSOR_ARCHITECTURE -ne 'x86')
        LanguageMode = $mode
        Elevated = $elevated
        Account = $account
        Sid = $sid
    }
}

function Assert-Host {
    # `Given` are the parameters of the script, for the command that does work.
    param([Parameter(Mandatory = $true)]$Given, [string]$Script = '')
    $facts = Get-HostFacts
    if ($facts.System -ne 'Windows') {
        throw 'This script sets up a Windows machine, and this is none. On Linux, dtui needs an SSH server and Python 3.9 or newer: see docs/guide.md.'
    }
    if ($facts.LanguageMode -ne 'FullLanguage') {
        throw "PowerShell runs in $($facts.LanguageMode) here: a policy of this machine (AppLocker or App Control) does not let scripts call what this one needs. Nothing was changed. Ask the administrator of the policy to allow this script."
    }
    $folder = 'System32'
    if ($facts.Is64BitSystem -and -not $facts.Is64BitProcess) {
        $folder = 'SysNative'
    }
    if ($facts.Edition -ne 'Desktop' -or $folder -eq 'SysNative') {
        $why = 'PowerShell 7 sees other sessions, policies and modules than Windows does'
        if ($folder -eq 'SysNative') {
            $why = 'A 32-bit PowerShell sees another registry than Windows does'
        }
        $windir = 'C:\Windows'
        if ($env:SystemRoot) {
            $windir = $env:SystemRoot
        }
        $command = "$windir\$folder\WindowsPowerShell\v1.0\powershell.exe"
        throw "$why. Nothing was changed. Run this in 64-bit Windows PowerShell 5.1: $(Get-SameCommand -Program $command -Script $Script -Given $Given)"
    }
    if (-not $facts.Elevated) {
        throw 'This script changes the firewall and services: start PowerShell as administrator and run it again.'
    }
}

function Get-SameCommand {
    # A line for cmd.exe and every PowerShell that starts the script again with the same parameters.
    param([Parameter(Mandatory = $true)][string]$Program, [string]$Script = '', [Parameter(Mandatory = $true)]$Given)
    if (-not $Script) {
        return "$Program -NoProfile, and paste the script into it."
    }
    $words = @($Program, '-NoProfile', '-ExecutionPolicy', 'Bypass', '-File', (Get-QuotedWord $Script))
    foreach ($name in @($Given.Keys | Sort-Object)) {
        $value = $Given[$name]
        if ($value -is [Management.Automation.SwitchParameter]) {
            if ($value) {
                $words += "-$name"
            }
        } elseif ($name -eq 'Rest') {
            # They belong to the addresses; the named list takes them.
            continue
        } else {
            $all = @($value)
            if ($name -match 'IPs$' -and $Given.ContainsKey('Rest')) {
                $all += @($Given['Rest'])
            }
            $words += @("-$name", (Get-QuotedWord ((@($all | ForEach-Object { ([string]$_).Trim(', ') })) -join ',')))
        }
    }
    return ($words -join ' ')
}

function Get-QuotedWord {
    # Double quotes are read alike by cmd.exe and PowerShell; Windows PowerShell hands a backslash before the last
    # one on as a quote.
    param([AllowEmptyString()][string]$Word = '')
    if ($Word -match '[$`"]') {
        return "'" + $Word.Replace("'", "''") + "'"
    }
    if ($Word -match '[^\\]\\+$' -and $Word -notmatch '^[A-Za-z]:\\$') {
        $Word = $Word.TrimEnd('\')
    }
    return '"' + $Word + '"'
}

function Get-AddressList {
    # `powershell -File` hands over a,b as one word and a call in the console hands over two: both mean the same, and
    # so do `a, b` and `@("a", "b")`, which -File hands over with their punctuation. Equal addresses have one spelling.
    param([AllowNull()][AllowEmptyCollection()][AllowEmptyString()][string[]]$Given = @())
    $found = @()
    foreach ($word in @($Given)) {
        foreach ($part in (([string]$word) -split '[,;\s]+')) {
            $text = $part.Trim('@', '(', ')', '"', "'")
            if ($text) {
                $found += (Get-Address -Text $text)
            }
        }
    }
    return @($found | Select-Object -Unique)
}

function Get-Address {
    # The address in the spelling of Windows' firewall. Anything but the address of one other machine is refused.
    param([Parameter(Mandatory = $true)][string]$Text)
    $parsed = $null
    if ($Text -notmatch '^[0-9A-Fa-f:.]+$' -or -not [Net.IPAddress]::TryParse($Text, [ref]$parsed)) {
        throw "'$Text' is not an address. Give numbers such as 192.168.1.100: names, ranges and wildcards are refused."
    }
    $bytes = @($parsed.GetAddressBytes())
    if ($bytes.Count -eq 4) {
        if ($Text -notmatch '^\d+\.\d+\.\d+\.\d+$') {
            throw "'$Text' is not a whole address. Give all four numbers, such as 192.168.1.100."
        }
        if ($Text -match '(^|\.)0\d') {
            throw "'$Text' has a number that begins with 0, which some programs read as octal. Write it without."
        }
        if ($bytes[0] -eq 0 -or $bytes[0] -ge 240) {
            throw "'$Text' is the address of no machine, or of every machine. Name the cluster's machines one by one."
        }
        $loopback = $bytes[0] -eq 127
        $multicast = $bytes[0] -ge 224
    } else {
        $zeros = @($bytes[0..9] | Where-Object { $_ -ne 0 }).Count -eq 0
        if ($parsed.Equals([Net.IPAddress]::IPv6Any)) {
            throw "'$Text' would let every machine in. Name the cluster's machines one by one."
        }
        $loopback = $parsed.Equals([Net.IPAddress]::IPv6Loopback)
        if ($zeros -and -not $loopback) {
            throw "'$Text' is an IPv4 address in the form of IPv6. Write it as four numbers, such as 192.168.1.100."
        }
        $multicast = $bytes[0] -eq 255
    }
    if ($loopback) {
        throw "'$Text' is this machine itself. Give the address that the other machines of the cluster use."
    }
    if ($multicast) {
        throw "'$Text' is a multicast address, and no machine has it. Give the address of one machine."
    }
    return [string]$parsed
}

function Assert-Address {
    param([Parameter(Mandatory = $true)][string]$Address)
    Get-Address -Text $Address | Out-Null
}

function Assert-AddressesOnly {
    # Words that belong to no parameter: addresses that stood without quotes. Others are a mistake.
    param([AllowNull()][string[]]$Rest = @())
    foreach ($word in @($Rest | Where-Object { $_ })) {
        if ($word -notmatch '^[@("'']{0,}[0-9A-Fa-f]{0,}[.:][0-9A-Fa-f:.,;)"'']{0,}$') {
            throw "'$word' belongs to no parameter. Put a value with blanks into double quotes, such as -PublicKey `"ssh-ed25519 AAAA... kim@master`" or -ClusterIPs `"192.168.1.101,192.168.1.102`"."
        }
    }
}

function Test-NotFound {
    # Whether an error says that the thing is not there; any other error says nothing about that.
    param([Parameter(Mandatory = $true)]$Record)
    if ([string]$Record.CategoryInfo.Category -eq 'ObjectNotFound') {
        return $true
    }
    # Get-ItemProperty reports a missing value as an argument that is wrong.
    return ([string]$Record.FullyQualifiedErrorId -match '^System\.Management\.Automation\.PSArgumentException,.+ItemProperty')
}
