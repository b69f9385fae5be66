# What this machine is.

function Get-GpuList {
    # NVIDIA's own tool tells the memory; other adapters are listed by name.
    $found = @()
    if ($null -ne (Get-Command -Name 'nvidia-smi.exe' -ErrorAction SilentlyContinue)) {
        $query = @('--query-gpu=name,memory.total,driver_version', '--format=csv,noheader,nounits')
        try {
            foreach ($row in @(Invoke-Native -Program 'nvidia-smi.exe' -Arguments $query)) {
                $cells = @($row -split ',' | ForEach-Object { $_.Trim() })
                if ($cells.Count -ne 3) {
                    Write-Note "nvidia-smi reports: $row"
                    continue
                }
                $found += [pscustomobject]@{ name = $cells[0]; memory_mib = $cells[1]; driver = $cells[2] }
            }
        } catch {
            Write-Note "nvidia-smi does not answer: $(Get-ErrorText $_) Reinstall NVIDIA's driver and restart."
        }
    }
    return $found
}

function ConvertFrom-Hex {
    # UTF-8 text that a program printed as hexadecimal digits: the console's code page can't spoil these.
    param([Parameter(Mandatory = $true)][string]$Text)
    $bytes = New-Object byte[] ([int]($Text.Length / 2))
    for ($index = 0; $index -lt $bytes.Length; $index++) {
        $bytes[$index] = [Convert]::ToByte($Text.Substring($index + $index, 2), 16)
    }
    return (New-Object Text.UTF8Encoding($false)).GetString($bytes)
}

function Get-Python {
    # The interpreter that runs here, and why there is none. The Store's placeholder is called python.exe too; only
    # one that runs counts. The word before the answer tells it from what else is printed at the start.
    $script = "import sys; print('dtui=%d.%d=' % sys.version_info[:2] + sys.executable.encode('utf-8', 'surrogatepass').hex())"
    $why = @()
    foreach ($candidate in @('py', 'python', 'python3')) {
        if ($null -eq (Get-Command -Name $candidate -CommandType Application -ErrorAction SilentlyContinue)) {
            continue
        }
        $arguments = @('-c', $script)
        if ($candidate -eq 'py') {
            $arguments = @('-3') + $arguments
        }
        try {
            $answer = @(Invoke-Native -Program $candidate -Arguments $arguments) -join "`n"
        } catch {
            $why += "${candidate}: $(Get-ErrorText $_)"
            continue
        }
        $found = [regex]::Match($answer, 'dtui=(\d+)\.(\d+)=([0-9a-f]+)')
        if (-not $found.Success) {
            $why += "$candidate does not answer as Python does"
            continue
        }
        $path = ConvertFrom-Hex $found.Groups[3].Value
        $version = "$($found.Groups[1].Value).$($found.Groups[2].Value)"
        if ([version]$version -lt [version]'3.9') {
            $why += "$path is Python $version, which is too old"
        } else {
            return @{ path = $path; why = '' }
        }
    }
    return @{ path = ''; why = (@($why) -join '; ') }
}

function Write-PythonNote {
    # An interpreter in another user's profile can't be started by whoever logs in as somebody else.
    param([string]$Path = '')
    $found = [regex]::Match($Path, '[\\/]Users[\\/]([^\\/]+)[\\/]', 'IgnoreCase')
    if ($found.Success -and $env:USERNAME -and $found.Groups[1].Value -ne $env:USERNAME -and $found.Groups[1].Value -ne 'Public') {
        Write-Note "Python is in the folder of the user $($found.Groups[1].Value), and $env:USERNAME may not have the right to start it: install Python for all users."
    }
}

function Test-DomainMember {
    return [bool](Get-CimInstance -ClassName Win32_ComputerSystem -ErrorAction Stop).PartOfDomain
}

function Get-WmiValue {
    # A field of a class's first instance; nothing, and a note, where WMI has no answer.
    param([Parameter(Mandatory = $true)][string]$Class, [Parameter(Mandatory = $true)][string]$Name, [string]$Filter = '')
    try {
        $arguments = @{ ClassName = $Class }
        if ($Filter) {
            $arguments['Filter'] = $Filter
        }
        $value = Get-Field (@(Get-CimInstance @arguments -ErrorAction Stop) | Select-Object -First 1) $Name
        if ($null -ne $value) {
            return $value
        }
        Write-Note "WMI has no $Name of $Class."
    } catch {
        Write-Note "WMI does not answer for ${Class}: $(Get-ErrorText $_)"
    }
    return $null
}

function Get-LocalAddresses {
    try {
        return @(Get-NetIPAddress -AddressFamily IPv4 -ErrorAction Stop | Where-Object { $_.IPAddress -ne '127.0.0.1' } | ForEach-Object { [string]$_.IPAddress })
    } catch {
        Write-Note "the addresses of this machine can't be read: $(Get-ErrorText $_)"
        return @()
    }
}

function Get-DisplayAdapters {
    try {
        return @(Get-CimInstance -ClassName Win32_VideoController -ErrorAction Stop | ForEach-Object { [string](Get-Field $_ 'Name') })
    } catch {
        Write-Note "WMI does not answer for Win32_VideoController: $(Get-ErrorText $_)"
        return @()
    }
}

function Get-SystemInformation {
    $python = Get-Python
    return [pscustomobject][ordered]@{
        computer = $env:COMPUTERNAME
        system = [string](Get-WmiValue -Class 'Win32_OperatingSystem' -Name 'Caption')
        build = [string](Get-WmiValue -Class 'Win32_OperatingSystem' -Name 'BuildNumber')
        powershell = [string](Get-HostFacts).Version
        processor = [string](Get-WmiValue -Class 'Win32_Processor' -Name 'Name')
        threads = [int](Get-WmiValue -Class 'Win32_ComputerSystem' -Name 'NumberOfLogicalProcessors')
        memory_bytes = [long](Get-WmiValue -Class 'Win32_ComputerSystem' -Name 'TotalPhysicalMemory')
        disk_free_bytes = [long](Get-WmiValue -Class 'Win32_LogicalDisk' -Name 'FreeSpace' -Filter "DeviceID='$env:SystemDrive'")
        gpus = @(Get-GpuList)
        display_adapters = @(Get-DisplayAdapters)
        python = [string]$python.path
        python_missing = [string]$python.why
        addresses = @(Get-LocalAddresses)
        collected = (Get-Date).ToString('o')
    }
}
